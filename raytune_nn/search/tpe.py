"""TPE, the tree-structured Parzen estimator, by Optuna."""

from __future__ import annotations

import random

from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from raytune_nn.errors import ConfigError
from raytune_nn.search.optuna_searcher import OptunaSearcher, check_count
from raytune_nn.space.space import Space


class TPE(OptunaSearcher):
    """Draws where good trials are dense and others are rare.

    Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4; the parameters that all
    trials have are modelled jointly, as in Falkner et al. 2018, "BOHB", section 3.2, and those of branches one by
    one. Stopped trials are ranked by how far they came, then by their last report, all behind the complete
    ones. What looks good early need not be good in the end, so once there are such trials, a share of the
    suggestions is random (Falkner et al., Algorithm 2). Trials that still run count as bad, so that their
    neighbourhood is not tried again. Several objectives: Ozaki et al. 2022, "Multiobjective Tree-Structured Parzen
    Estimator", each parameter by itself.

    Args:
        space: What to draw from.
        seed: Another seed gives other suggestions.
        startup_trials: Trials that came to their end, or farther than where the first ones paused or were stopped,
            before the model draws; until then it is random. First epochs alone mislead a model.
        candidates: Draws from the density of the good, of which the most promising is tried; 64 as in BOHB.
        random_share: Of the suggestions, where trials pause or are stopped early; 1/3 as in BOHB.
        objectives: How many there are.

    Raises:
        ConfigError: A count is no integer, or less than 1; or the share is not from 0 to 1.
    """

    asks_ahead = True
    whole = False
    ranks_pruned = True

    def __init__(
        self,
        space: Space,
        seed: int,
        startup_trials: int = 10,
        candidates: int = 64,
        random_share: float = 1 / 3,
        objectives: int = 1,
    ) -> None:
        check_count("startup_trials", startup_trials, 1)
        check_count("candidates", candidates, 1)
        if not isinstance(random_share, int | float) or not 0 <= random_share <= 1:
            rule = "search.searcher.random_share must be from 0 to 1"
            raise ConfigError(rule, random_share, "search.searcher.random_share=0.333")
        super().__init__(space, seed, objectives)
        self._startup_trials, self._candidates, self._random_share = startup_trials, candidates, random_share

    def _sampler(self, seed: int) -> BaseSampler:
        known = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        early = [max(trial.intermediate_values) for trial in known if is_early(trial)]
        known_late = len(known) - early.count(min(early, default=0))
        share = self._random_share if early else 0
        if known_late < self._startup_trials or random.Random(seed).random() < share:
            return RandomSampler(seed=seed)
        return TPESampler(n_startup_trials=self._startup_trials, n_ei_candidates=self._candidates, seed=seed)


def is_early(trial: FrozenTrial) -> bool:
    """Whether it is known by what it reported before it paused or was stopped; one that diverged has no report."""
    return trial.state is TrialState.PRUNED and bool(trial.intermediate_values)
