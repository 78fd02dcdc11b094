"""TPE, the tree-structured Parzen estimator, by Optuna."""

from __future__ import annotations

from optuna.samplers import BaseSampler, TPESampler

from raytune_nn.search.optuna_searcher import OptunaSearcher, check_count
from raytune_nn.space.space import Space


class TPE(OptunaSearcher):
    """Draws where good trials are dense and others are rare.

    Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4; the parameters that all
    trials have are modelled jointly, as in Falkner et al. 2018, "BOHB", section 3.2, and those of branches one by
    one. Stopped trials are ranked by how far they came, then by their last report, all behind the complete
    ones. Trials that still run count as bad, so that their neighbourhood is not tried again. Several objectives:
    Ozaki et al. 2022, "Multiobjective Tree-Structured Parzen Estimator", each parameter by itself.

    Args:
        space: What to draw from.
        seed: Another seed gives other suggestions.
        startup_trials: Trials with a value before the first that the model draws; until then they are random.
        candidates: Draws from the density of the good, of which the most promising is tried; 64 as in BOHB.
        objectives: How many there are.

    Raises:
        ConfigError: A count is no integer, or less than 1.
    """

    asks_ahead = True
    whole = False
    ranks_pruned = True

    def __init__(
        self, space: Space, seed: int, startup_trials: int = 10, candidates: int = 64, objectives: int = 1
    ) -> None:
        check_count("startup_trials", startup_trials, 1)
        check_count("candidates", candidates, 1)
        super().__init__(space, seed, objectives)
        self._startup_trials, self._candidates = startup_trials, candidates

    def _sampler(self, seed: int) -> BaseSampler:
        return TPESampler(n_startup_trials=self._startup_trials, n_ei_candidates=self._candidates, seed=seed)
