"""CMA-ES, an evolution strategy, by Optuna and the package cmaes."""

from __future__ import annotations

from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from raytune_nn.errors import ConfigError
from raytune_nn.search.optuna_searcher import Ended, OptunaSearcher, check_count
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice
from raytune_nn.space.space import Space

LEAST_SOURCES = 10  # the best tenth of them is where the search starts
LEAST_POPULATION = 4  # the better half of fewer is one trial, whose covariance says nothing


class CMAES(OptunaSearcher):
    """Draws from a normal distribution whose mean and covariance follow the better half of each generation.

    Hansen 2016, "The CMA Evolution Strategy: A Tutorial". It adapts the numbers of the space; choices stay random.
    A generation is complete once ``population_size`` of its trials are; stopped trials do not count. Complete
    trials of an earlier study (``search.warm_start``), ten at least, say where it starts and how wide (Nomura et
    al. 2021, "Warm Starting CMA-ES for Hyperparameter Optimization"). The first suggestion is random.

    Args:
        space: What to draw from.
        seed: Another seed gives other suggestions.
        population_size: Trials a generation; None: 4 + 3 ln(numbers in the space), rounded down.
        objectives: How many there are; it follows one.

    Raises:
        ConfigError: The space has no number to adapt, ``population_size`` is no integer or less than 4, or there are
            several objectives.
    """

    def __init__(self, space: Space, seed: int, population_size: int | None = None, objectives: int = 1) -> None:
        if objectives > 1:
            rule = "CMA-ES follows one objective, which says which half of a generation is the better one"
            raise ConfigError(rule, f"{objectives} objectives", "search/searcher=nsga2")
        if population_size is not None:
            check_count("population_size", population_size, LEAST_POPULATION)
        super().__init__(space, seed)
        self._population_size = population_size
        self._numbers = [name for (_, domain), name in self._names.items() if _is_adapted(domain)]
        self._sources: list[FrozenTrial] = []
        if not self._numbers:
            raise ConfigError(
                "CMA-ES needs a number to adapt in the search_space",
                ", ".join(path for path, _ in self._names) or "{}",
                "search/searcher=tpe",
            )

    def _sampler(self, seed: int) -> BaseSampler:
        return CmaEsSampler(
            seed=seed,
            independent_sampler=RandomSampler(seed=seed),
            warn_independent_sampling=False,
            popsize=self._population_size,
            source_trials=self._sources if len(self._sources) >= LEAST_SOURCES else None,
        )

    def _learn(self, ended: Ended) -> None:
        """Only for the start: a generation has to consist of the strategy's own draws."""
        if ended.state != "complete" or ended.scores is None:
            return
        seed = self._seed_of(f"source {len(self._sources)}")
        trial, _ = self._new_trial(RandomSampler(seed=seed), ended.params)  # draws what is inactive
        self._study.tell(trial, state=TrialState.FAIL)
        names = self._numbers
        source = create_trial(
            params={name: trial.params[name] for name in names},
            distributions={name: trial.distributions[name] for name in names},
            value=ended.scores[0],
        )
        self._sources.append(source)


def _is_adapted(domain: Domain) -> bool:
    return not isinstance(domain, Choice) and domain.size() != 1
