"""Configurations that were trained on the same seeds, compared: intervals, corrected tests, the tied set, the simplest.

Pure functions of numbers. What an interval speaks of is the noise of training (initial weights, order of the rows) on
the test rows that there are; where each seed cuts the data anew, their choice too, and then the trainings overlap.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_SPREAD = 1e-12  # of the values' size: differences that only rounding tells apart are the same

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A configuration, and what its trainings came to."""

    trial: str
    values: tuple[float | None, ...]  # one a seed, in the same order for all; None: that training has no finite one
    parameters: int  # that are trained
    epochs: float  # to the value, mean of the trainings
    seconds: float  # of a training, mean

    @property
    def finite(self) -> Floats:
        """The values that are there."""
        return np.array([value for value in self.values if value is not None])

    @property
    def is_whole(self) -> bool:
        """Whether every training has a value."""
        return None not in self.values


@dataclass(frozen=True)
class Standing:
    """How a configuration stands."""

    trial: str
    mean: float | None  # of the trainings that have a value; None: there is none
    low: float | None  # ends of the interval of the mean; None: it takes two values
    high: float | None
    std_error: float | None  # of the mean
    p: float | None  # corrected, of the test against the best; None: it is the best, or nothing can be compared
    tied: bool  # whether it cannot be told from the best; the best itself is


@dataclass(frozen=True)
class Comparison:
    """Who is the best by the mean, whom nothing tells from it, and which one to take."""

    standings: tuple[Standing, ...]  # best mean first
    best: str
    recommended: str

    @property
    def tied(self) -> list[str]:
        """The trials that cannot be told from the best, and the best."""
        return [standing.trial for standing in self.standings if standing.tied]


def compare(measured: Sequence[Measured], confidence: float, maximise: bool, overlap: float = 0.0) -> Comparison:
    """Compares all with the best.

    A configuration of which a training failed is shown, but takes no part while another one has a value for every seed:
    a mean of those that went well says nothing of how often it goes wrong.

    The recommended one is, of those tied with the best that are within one standard error of its mean, the one with
    the fewest parameters (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3: the 1 SE rule).
    The whole tied set would be too wide for that: with few seeds it holds whatever a test of little power lets pass.

    Args:
        measured: At least one with two values.
        confidence: Of the intervals, and one minus it the level of the tests.
        overlap: Test rows over training rows where each seed cuts the data anew, else 0; see ``std_error``.

    Raises:
        ValueError: None has two values.
    """
    able = [each for each in measured if len(each.finite) > 1]
    if not able:
        raise ValueError("a comparison needs a configuration with two values")
    taking_part = [each for each in able if each.is_whole] or able
    sign = 1.0 if maximise else -1.0
    best = max(taking_part, key=lambda each: sign * float(each.finite.mean()))
    ps = against(best, taking_part, overlap)
    level = 1 - confidence
    tied = {best.trial, *(trial for trial, p in ps.items() if p >= level)}
    standings = [_standing(each, confidence, overlap, ps.get(each.trial), each.trial in tied) for each in measured]
    standings.sort(key=lambda each: (each.mean is None, -sign * (each.mean or 0.0)))
    reach = sign * float(best.finite.mean()) - std_error(best.finite, overlap)
    near = [each for each in taking_part if each.trial in tied and sign * float(each.finite.mean()) >= reach]
    simplest = min(near, key=lambda each: (each.parameters, each.epochs, each.seconds))
    return Comparison(tuple(standings), best.trial, simplest.trial)


def interval(values: Floats, confidence: float, overlap: float = 0.0) -> tuple[float, float]:
    """The mean's interval by Student's t; of equal values a point.

    Args:
        values: Shape (trainings,), at least two.
    """
    from scipy.stats import t as student  # type: ignore[import-untyped]

    mean, error = float(values.mean()), std_error(values, overlap)
    reach = float(student.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return mean - reach, mean + reach


def std_error(values: Floats, overlap: float = 0.0) -> float:
    """Standard error of the mean of trainings, shape (trainings,), at least two.

    Trainings on splits that were drawn anew share most of their rows, so their values spread less than new data would
    make them: 1/n becomes 1/n + test rows / training rows (Nadeau and Bengio 2003, "Inference for the Generalization
    Error", Machine Learning 52, section 4: the corrected resampled t-test).
    """
    spread = float(values.std(ddof=1))
    return 0.0 if _is_none(spread, values) else spread * math.sqrt(1 / len(values) + overlap)


def paired_p(ours: Sequence[float | None], theirs: Sequence[float | None], overlap: float = 0.0) -> float:
    """Two-sided p of the paired t-test over the seeds that both have; 1 where fewer than two are.

    Differences that are all the same leave the t-test no noise to measure them by. The exact test, which flips their
    signs (Fisher 1935, "The Design of Experiments", section 21), then says 2 / 2^n.
    """
    from scipy.stats import t as student

    pairs = np.array([pair for pair in zip(ours, theirs, strict=True) if None not in pair], dtype=float)
    if len(pairs) < 2:
        return 1.0
    differences = pairs[:, 0] - pairs[:, 1]
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if _is_none(spread, pairs):
        return 1.0 if _is_none(mean, pairs) else 2.0 ** (1 - len(pairs))
    return float(2 * student.sf(abs(mean) / std_error(differences, overlap), len(pairs) - 1))


def against(best: Measured, others: Sequence[Measured], overlap: float = 0.0) -> dict[str, float]:
    """Corrected p of each against the best.

    The best is known only from the same values, so its comparisons are those of the extreme of all pairs; hence Holm's
    correction is over all pairs, not only over those that are looked at.
    """
    pairs = list(itertools.combinations(others, 2))
    ps = holm([paired_p(one.values, other.values, overlap) for one, other in pairs])
    found = {}
    for (one, other), p in zip(pairs, ps, strict=True):
        if best is one or best is other:
            found[other.trial if best is one else one.trial] = p
    return found


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order (Holm 1979, Scandinavian Journal of Statistics 6)."""
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[index]))
        adjusted[index] = highest
    return adjusted


def _standing(each: Measured, confidence: float, overlap: float, p: float | None, tied: bool) -> Standing:
    values = each.finite
    mean = float(values.mean()) if len(values) else None
    if len(values) < 2:
        return Standing(each.trial, mean, None, None, None, p, tied)
    low, high = interval(values, confidence, overlap)
    return Standing(each.trial, mean, low, high, std_error(values, overlap), p, tied)


def _is_none(amount: float, values: Floats) -> bool:
    return abs(amount) <= NO_SPREAD * max(1e-300, float(np.abs(values).max()))
