"""What a study will take, told before it starts: studies on a virtual clock, with the scheduler as it is.

The searcher's suggestions are those of the study where it draws them without learning. What an epoch takes was measured
by a dry run (`raytune_nn.trial.dry_run`); the scores are made up, but for those that it has seen
(`raytune_nn.study.forecast_curves`). Callbacks that end a training early, and trials that fail, are not foreseen.
"""

from __future__ import annotations

import copy
import heapq
import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from raytune_nn.search.scheduler import Decision, Scheduler
from raytune_nn.study.epoch_costs import Cost, EpochCosts
from raytune_nn.study.forecast_curves import LearningCurve, LearningCurves

SPREAD = 0.2  # standard deviation of the logarithm of what a machine takes, from one hour to the next
MOST_REPORTS = 200_000  # over all studies that are simulated
LEAST, MOST = 20, 200  # of these studies
INTERVAL = (0.1, 0.5, 0.9)
Params = dict[str, Any]


@dataclass(frozen=True)
class Overheads:
    """Seconds that are not training.

    Args:
        start: From the command to the first trial.
        piece: For each piece of work beside the training's own start: a slot is told, and answers.
        end: From the last report to the end of the command.
    """

    start: float
    piece: float
    end: float


@dataclass(frozen=True)
class Extent:
    """How much a study is to train.

    Args:
        trials: At most.
        epochs: Of one training.
        folds: Trainings of a trial.
        slots: Trials at once.
        gpus: Of a trial.
        max_hours: Of the study; None: no limit.
        max_gpu_hours: Over all trials; None: no limit.
    """

    trials: int
    epochs: int
    folds: int
    slots: int
    gpus: float
    max_hours: float | None = None
    max_gpu_hours: float | None = None


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
        ran.append(_Study(extent, copy.deepcopy(scheduler), suggested, costs, curves, overheads, pace, rng).run())
    ends = Counter(study.end for study in ran)
    return Forecast(
        _interval([scale * study.seconds for study in ran]),
        _interval([scale * study.busy * extent.gpus / 3600 for study in ran]),
        _interval([scale * study.trained for study in ran]),
        {end: times / count for end, times in ends.most_common()},
    )


def _part_of(extent: Extent, trials: int, scale: float) -> Extent:
    hours, gpu_hours = (limit and limit / scale for limit in (extent.max_hours, extent.max_gpu_hours))
    return replace(extent, trials=trials, max_hours=hours, max_gpu_hours=gpu_hours)


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, INTERVAL)
    return float(low), float(middle), float(high)


@dataclass
class _Trial:
    cost: Cost
    curve: LearningCurve
    epochs: int = 0
    segment: float = 0.0  # seconds of the piece of work at hand


@dataclass
class _Study:
    """One study; ``pace`` stretches all that it takes."""

    extent: Extent
    scheduler: Scheduler
    suggested: Sequence[Params | None]
    costs: EpochCosts
    curves: LearningCurves
    overheads: Overheads
    pace: float
    rng: random.Random
    trials: dict[str, _Trial] = field(default_factory=dict)
    heap: list[tuple[float, int, str, int]] = field(default_factory=list)
    busy: float = 0.0
    trained: int = 0
    seconds: float = 0.0
    end: str = "budget.num_trials"
    _events: int = 0

    def run(self) -> _Study:
        """To its end."""
        extent, start = self.extent, self.overheads.start * self.pace
        self.whole = extent.epochs * extent.folds
        steps = self.scheduler.decision_steps
        self._steps = None if steps is None else sorted(steps)
        self._limit = math.inf if extent.max_hours is None else extent.max_hours * 3600
        self._gpu_seconds = math.inf if extent.max_gpu_hours is None else extent.max_gpu_hours * 3600
        self.seconds = start
        self._fill(start)
        while self.heap:
            now, _, trial, epochs = heapq.heappop(self.heap)
            if self._is_spent(now, start):
                break
            self.seconds = now
            if self._reported(trial, epochs):
                self._go_on(now, trial)
            self._fill(now)
        self.seconds += self.overheads.end * self.pace
        return self

    def _is_spent(self, now: float, start: float) -> bool:
        """Whether a budget ends the study before this report."""
        if now - start > self._limit:
            self.end, self.seconds = "budget.max_hours", start + self._limit
            return True
        if self.busy * self.extent.gpus > self._gpu_seconds:
            self.end = "budget.max_gpu_hours"
            return True
        return False

    def _fill(self, now: float) -> None:
        while len(self.heap) < self.extent.slots and (trial := self._next()) is not None:
            state = self.trials[trial]
            self._go_on(now, trial, (state.cost.start + self.overheads.piece) * self.pace)

    def _next(self) -> str | None:
        number = len(self.trials)
        new = number < len(self.suggested) and self.suggested[number] is not None
        if (resumption := self.scheduler.next_to_run(new)) is not None:
            if resumption.source is not None:
                own, source = self.trials[resumption.trial], self.trials[resumption.source]
                own.epochs, own.curve = source.epochs, source.curve
            return resumption.trial
        if not new:
            if number < self.extent.trials:
                self.end = "the space is exhausted"
            return None
        params: Any = self.suggested[number]
        self.trials[str(number)] = _Trial(self.costs.of(params, self.rng), self.curves.of(params, self.rng))
        self.scheduler.on_start(str(number), params)
        return str(number)

    def _go_on(self, now: float, trial: str, start: float = 0.0) -> None:
        """On to the next report that may be answered with more than to go on."""
        state = self.trials[trial]
        epochs = self._next_decision(state) - state.epochs
        starts = start if self.extent.folds == 1 else start * max(1, epochs // self.extent.epochs)
        seconds = starts + epochs * state.cost.epoch * self.pace
        self.busy += seconds
        self._events += 1
        heapq.heappush(self.heap, (now + seconds, self._events, trial, state.epochs + epochs))

    def _next_decision(self, state: _Trial) -> int:
        """In epochs."""
        if self._steps is None:
            folds = self.extent.folds
            return min(self.whole, state.epochs + (self.extent.epochs if folds > 1 else 1))
        later = bisect_right(self._steps, int(state.epochs * state.cost.reached))
        if later == len(self._steps):
            return self.whole
        return min(self.whole, max(state.epochs + 1, math.ceil(self._steps[later] / state.cost.reached)))

    def _reported(self, trial: str, epochs: int) -> bool:
        """Whether the trial keeps its slot."""
        state = self.trials[trial]
        self.trained += epochs - state.epochs
        state.epochs = epochs
        verdict = self.scheduler.on_report(trial, int(epochs * state.cost.reached), state.curve.score(epochs, self.rng))
        if epochs == self.whole or verdict.decision is Decision.STOP:
            self.scheduler.on_end(trial, complete=epochs == self.whole)
            return False
        return verdict.decision is Decision.CONTINUE
