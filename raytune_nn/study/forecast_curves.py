"""Learning curves of trainings that nobody has seen, as a forecast needs them.

A trial has a quality of its own, which its first epochs show only in part. Where a dry run trained the trial's first
epoch, its curve begins there: which trials come early, good ones or bad ones, decides how many are promoted.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from raytune_nn.study.epoch_costs import point_key
from raytune_nn.trial.dry_run import Timing

SHOWN_EARLY = 0.5  # of a trial's quality, after its first epoch
RISE, NOISE = 2.0, 0.05  # in standard deviations of the quality


@dataclass(frozen=True)
class LearningCurve:
    """Of one trial.

    Args:
        whole: Epochs of a whole training.
        quality: What comes out at its end.
        early: What its first epochs seem to show beside it.
    """

    whole: int
    quality: float
    early: float

    def score(self, epochs: int, rng: random.Random) -> float:
        """It rises with the epochs; how well trials rank by it rises too."""
        progress = math.log1p(epochs) / math.log1p(self.whole)
        return RISE * progress + self.quality + _misleads(epochs, self.whole) * self.early + NOISE * rng.gauss(0, 1)


class LearningCurves:
    """Draws a curve for any trial.

    Args:
        timings: Those with a score tell how their trials rank after an epoch.
        whole: Epochs of a whole training.
    """

    def __init__(self, timings: Sequence[Timing], whole: int) -> None:
        self._whole = whole
        first = {point_key(timing.params): timing.score for timing in timings if timing.score is not None}
        scores = sorted(first.values())
        self._seen = {key: _normal(score, scores) for key, score in first.items()}

    def of(self, params: Mapping[str, Any], rng: random.Random) -> LearningCurve:
        """Drawn as normal variables, given what the first epoch has shown."""
        quality, early, misleads = rng.gauss(0, 1), rng.gauss(0, 1), _misleads(1, self._whole)
        seen = self._seen.get(point_key(params))
        if seen is not None:
            # Matheron's rule: a draw of both is moved, in proportion to their parts of it, to the sum that was seen.
            variance = 1 + misleads**2
            missing = seen * math.sqrt(variance) - (quality + misleads * early)
            quality, early = quality + missing / variance, early + misleads * missing / variance
        return LearningCurve(self._whole, quality, early)


def _normal(score: float, scores: Sequence[float]) -> float:
    """A normal variable of the same rank."""
    return NormalDist().inv_cdf((bisect_left(scores, score) + bisect_right(scores, score)) / (2 * len(scores)))


def _misleads(epochs: int, whole: int) -> float:
    """How much of what the epochs seem to show is not the trial's quality."""
    return (1 - SHOWN_EARLY) * 2 * (1 - math.log1p(epochs) / math.log1p(whole))
