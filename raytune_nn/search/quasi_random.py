"""Quasi-random search, by Optuna: draws that leave smaller gaps than random ones."""

from __future__ import annotations

from typing import Any

from optuna.samplers import BaseSampler, QMCSampler, RandomSampler

from raytune_nn.search.optuna_searcher import OptunaSearcher
from raytune_nn.search.searcher import Score


class QuasiRandom(OptunaSearcher):
    """Sobol's sequence, scrambled by the seed; the parameters of all branches are its dimensions.

    Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization", section 4; scrambled as in Owen
    1998, "Scrambling Sobol' and Niederreiter-Xing Points". The first suggestion is random. It learns nothing.
    """

    def _sampler(self, seed: int) -> BaseSampler:
        return QMCSampler(
            qmc_type="sobol",
            scramble=True,
            seed=self._seed_of("scramble"),
            independent_sampler=RandomSampler(seed=seed),
            warn_independent_sampling=False,
        )

    def on_report(self, trial: str, step: int, score: float) -> None:
        """Nothing to learn."""

    def on_end(self, trial: str, params: dict[str, Any], score: Score | None, state: str) -> None:
        """Nothing to learn."""
