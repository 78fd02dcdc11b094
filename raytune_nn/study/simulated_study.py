"""One study on a virtual clock, with the scheduler as it is: what a forecast is made of."""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from raytune_nn.search.scheduler import Decision, Scheduler
from raytune_nn.study.epoch_costs import Cost, EpochCosts
from raytune_nn.study.forecast_curves import LearningCurve, LearningCurves

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
        max_total_epochs: Over all trials; None: no limit.
    """

    trials: int
    epochs: int
    folds: int
    slots: int
    gpus: float
    max_hours: float | None = None
    max_gpu_hours: float | None = None
    max_total_epochs: int | None = None


@dataclass
class _Trial:
    cost: Cost
    curve: LearningCurve
    epochs: int = 0


@dataclass
class SimulatedStudy:
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

    def run(self) -> SimulatedStudy:
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
            if self._is_spent(now, start, epochs - self.trials[trial].epochs):
                break
            self.seconds = now
            if self._reported(trial, epochs):
                self._go_on(now, trial)
            self._fill(now)
        self.seconds += self.overheads.end * self.pace
        return self

    def _is_spent(self, now: float, start: float, epochs: int) -> bool:
        """Whether a budget ends the study before this report, which comes after so many epochs."""
        if now - start > self._limit:
            self.end, self.seconds = "budget.max_hours", start + self._limit
            return True
        if self.busy * self.extent.gpus > self._gpu_seconds:
            self.end = "budget.max_gpu_hours"
            return True
        total = self.extent.max_total_epochs
        if total is not None and self.trained + epochs > total:
            self.end, self.trained, self.seconds = "budget.max_total_epochs", total, now
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
