"""What an epoch of any configuration takes, learnt from a few that were timed."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raytune_nn.space.values import identity
from raytune_nn.trial.dry_run import Timing

RIDGE = 0.3  # how strongly the effect of a parameter is held back, against that of one timed configuration
FREE = ("optimizer.", "lr_scheduler.", "init.", "param_groups.", "seed")  # take no time, but where a group is chosen


@dataclass(frozen=True)
class Cost:
    """Of one configuration.

    Args:
        start: Seconds before its first epoch, each time it goes on.
        epoch: Seconds.
        reached: What an epoch adds to the study's fidelity.
    """

    start: float
    epoch: float
    reached: float = 1.0


class EpochCosts:
    """A ridge regression of the logarithm of the seconds; what was timed itself is known.

    Numbers count by their logarithm where all are positive, options each for themselves.

    Args:
        timings: At least one.
    """

    def __init__(self, timings: Sequence[Timing]) -> None:
        self._timings = timings
        self._known = {point_key(timing.params): timing for timing in timings}
        self._columns = _columns([timing.params for timing in timings])
        rows = np.array([self._row(timing.params) for timing in timings])
        self._means, self._scales = rows.mean(0), np.where(rows.std(0) > 0, rows.std(0), 1.0)
        targets = np.log([[max(t.epoch, 1e-6), max(t.start, 1e-6), max(t.reached, 1e-6)] for t in timings])
        self._level = targets.mean(0)
        scaled = (rows - self._means) / self._scales
        shrunk = scaled.T @ scaled + RIDGE * len(timings) ** 0.5 * np.eye(rows.shape[1])
        self._weights = np.linalg.solve(shrunk, scaled.T @ (targets - self._level))
        left = (targets - self._level - scaled @ self._weights)[:, 0]
        self._residual = statistics.pstdev(left.tolist()) * 1.5  # beyond what was fitted it is larger

    def of(self, params: Mapping[str, Any], rng: random.Random) -> Cost:
        """As it was timed; else as like ones were, with what they differ by unexplained."""
        timing = self._known.get(point_key(params))
        if timing is not None:
            return Cost(timing.start, timing.epoch, max(timing.reached, 1e-6))
        row = (np.array(self._row(params)) - self._means) / self._scales
        epoch, start, reached = np.exp(self._level + np.clip(row, -3, 3) @ self._weights)
        return Cost(float(start), float(epoch) * math.exp(self._residual * rng.gauss(0, 1)), float(reached))

    def _row(self, params: Mapping[str, Any]) -> list[float]:
        return [1.0 * _value(params.get(path), option) for path, option in self._columns] or [0.0]


def _columns(points: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any]]:
    """A path with None for its number, or with one of its options."""
    found: list[tuple[str, Any]] = []
    for path in sorted({path for point in points for path in point if not path.startswith(FREE)}):
        values = [point[path] for point in points if path in point]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            found.append((path, None))
        else:
            found += [(path, option) for option in sorted({repr(identity(value)) for value in values})]
    return found


def _value(value: Any, option: Any) -> float:
    if option is not None:
        return float(repr(identity(value)) == option)
    if not isinstance(value, int | float):  # of a branch that was not chosen
        return 0.0
    return math.log(value) if value > 0 else float(value)


def point_key(params: Mapping[str, Any]) -> str:
    """The same for equal parameters."""
    return repr(sorted((path, identity(value)) for path, value in params.items()))
