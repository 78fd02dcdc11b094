"""NSGA-II, a genetic algorithm for several objectives, by Optuna."""

from __future__ import annotations

from optuna.samplers import BaseSampler, NSGAIISampler

from raytune_nn.search.optuna_searcher import OptunaSearcher, check_count
from raytune_nn.space.space import Space


class NSGA2(OptunaSearcher):
    """Crosses and mutates the parameters of the trials that no other one beats in all objectives.

    Deb et al. 2002, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II". A generation is complete once
    ``population_size`` of its trials are; stopped trials do not count. With one objective it is a plain genetic
    algorithm.

    Args:
        space: What to draw from.
        seed: Another seed gives other suggestions.
        population_size: Complete trials a generation; the first one is random.
        objectives: How many there are.

    Raises:
        ConfigError: ``population_size`` is no integer, or less than 2.
    """

    def __init__(self, space: Space, seed: int, population_size: int = 50, objectives: int = 1) -> None:
        check_count("population_size", population_size, 2)
        super().__init__(space, seed, objectives)
        self._population_size = population_size

    def _sampler(self, seed: int) -> BaseSampler:
        return NSGAIISampler(population_size=self._population_size, seed=seed)
