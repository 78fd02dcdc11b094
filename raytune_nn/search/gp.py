"""Bayesian optimisation with a Gaussian process, by Optuna."""

from __future__ import annotations

from optuna.samplers import BaseSampler, GPSampler, RandomSampler

from raytune_nn.search.optuna_searcher import OptunaSearcher, check_count
from raytune_nn.space.space import Space


class GaussianProcess(OptunaSearcher):
    """Fits a Gaussian process to the complete trials, and tries where it expects to improve most.

    Snoek et al. 2012, "Practical Bayesian Optimization of Machine Learning Algorithms", with a Matérn 5/2 kernel
    that has a length scale a parameter, and Ament et al. 2023, "Unexpected Improvements to Expected Improvement",
    for the logarithm of the expected improvement, over the trials that still run as well. It learns nothing from
    stopped trials: a scheduler that stops most of them leaves it little.

    The cost of a suggestion grows with the cube of the complete trials: it is meant for up to a few hundred.

    Args:
        space: What to draw from.
        seed: Another seed gives other suggestions.
        startup_trials: Complete trials before the first that the model draws; until then they are random.
        objectives: How many there are.

    Raises:
        ConfigError: ``startup_trials`` is no integer, or less than 1.
    """

    asks_ahead = True

    def __init__(self, space: Space, seed: int, startup_trials: int = 10, objectives: int = 1) -> None:
        check_count("startup_trials", startup_trials, 1)
        super().__init__(space, seed, objectives)
        self._startup_trials = startup_trials

    def _sampler(self, seed: int) -> BaseSampler:
        return GPSampler(
            seed=seed,
            independent_sampler=RandomSampler(seed=seed),
            n_startup_trials=self._startup_trials,
            warn_independent_sampling=False,
        )
