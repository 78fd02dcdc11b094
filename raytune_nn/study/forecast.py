"""What a study will take, told before it starts: many simulated ones.

The searcher's suggestions are those of the study where it draws them without learning. What an epoch takes was measured
by a dry run (`raytune_nn.trial.dry_run`); the scores are made up, but for those that it has seen
(`raytune_nn.study.forecast_curves`). Callbacks that end a training early, and trials that fail, are not foreseen.
"""

from __future__ import annotations

import copy
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from raytune_nn.search.scheduler import Scheduler
from raytune_nn.study.epoch_costs import EpochCosts
from raytune_nn.study.forecast_curves import LearningCurves
from raytune_nn.study.simulated_study import Extent, Overheads, SimulatedStudy

SPREAD = 0.2  # standard deviation of the logarithm of what a machine takes, from one hour to the next
MOST_REPORTS = 200_000  # over all studies that are simulated
LEAST, MOST = 20, 200  # of these studies
INTERVAL = (0.1, 0.5, 0.9)
Params = dict[str, Any]


@dataclass(frozen=True)
class Forecast:
    """An 80% interval with its median of each quantity.

    Args:
        seconds: Of the whole command.
        gpu_hours: Over all trials.
        epochs: Over all trials.
        ends: What ends the study, and in which share of the simulated ones, the most frequent first.
    """

    seconds: tuple[float, float, float]
    gpu_hours: tuple[float, float, float]
    epochs: tuple[float, float, float]
    ends: dict[str, float]


def forecast(
    extent: Extent,
    scheduler: Scheduler,
    suggest: Callable[[int], Params | None],
    costs: EpochCosts,
    curves: LearningCurves,
    overheads: Overheads,
    seed: int,
) -> Forecast:
    """Simulates the study many times.

    Args:
        scheduler: Of the study; it is copied.
        suggest: The parameters of a trial, by its number; None: there are no more.
        seed: Of all that is drawn.
    """
    steps = scheduler.decision_steps
    decisions = extent.epochs * extent.folds if steps is None else len(steps) + 1
    # Of a study too large to simulate, a part: its trials are like the others.
    part = min(extent.trials, max(4 * extent.slots, MOST_REPORTS // (LEAST * decisions)))
    scale = extent.trials / part
    extent = _part_of(extent, part, scale)
    count = min(MOST, max(LEAST, MOST_REPORTS // (extent.trials * decisions)))
    suggested: list[Params | None] = []
    while len(suggested) < extent.trials and (not suggested or suggested[-1] is not None):
        suggested.append(suggest(len(suggested)))
    ran = []
    for number in range(count):
        pace = math.exp(SPREAD * NormalDist().inv_cdf((number + 0.5) / count))  # evenly over its distribution
        rng = random.Random(f"{seed}/{number}")
        ran.append(
            SimulatedStudy(extent, copy.deepcopy(scheduler), suggested, costs, curves, overheads, pace, rng).run()
        )
    ends = Counter(study.end for study in ran)
    return Forecast(
        _interval([scale * study.seconds for study in ran]),
        _interval([scale * study.busy * extent.gpus / 3600 for study in ran]),
        _interval([scale * study.trained for study in ran]),
        {end: times / count for end, times in ends.most_common()},
    )


def _part_of(extent: Extent, trials: int, scale: float) -> Extent:
    hours, gpu_hours = (limit and limit / scale for limit in (extent.max_hours, extent.max_gpu_hours))
    epochs = extent.max_total_epochs and max(1, round(extent.max_total_epochs / scale))
    return replace(extent, trials=trials, max_hours=hours, max_gpu_hours=gpu_hours, max_total_epochs=epochs)


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, INTERVAL)
    return float(low), float(middle), float(high)
