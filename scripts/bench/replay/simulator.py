"""A study on a virtual clock: schedulers and searchers as they are, training replaced by reading a table of curves."""

from __future__ import annotations

import heapq
from typing import Protocol

from curve_table import Table

from raytune_nn.search.scheduler import Decision, Scheduler


class Proposer(Protocol):
    """Says which configuration of the table is tried next: each once."""

    def next(self, number: int) -> int | None:
        """The configuration's index for trial `number`; None: all were tried."""

    def on_report(self, trial: str, step: int, score: float) -> None:
        """Take in a report."""

    def on_end(self, trial: str, score: float | None, state: str) -> None:
        """Take in how a trial ended."""


class Simulation:
    """Workers that train trials; each epoch takes one unit of time, pausing and resuming none.

    A trial that diverges ends by itself, one epoch after its last score.
    """

    def __init__(self, table: Table, scheduler: Scheduler, proposer: Proposer, workers: int) -> None:
        self.table, self.scheduler, self.proposer = table, scheduler, proposer
        self.free = list(reversed(range(workers)))
        self.workers = workers
        self.configurations: list[int] = []  # by trial
        self.trained: dict[str, int] = {}  # epochs by trial
        self.epochs: list[tuple[int, int, str]] = []  # a heap: when the epoch ends, the worker, the trial
        self.clock = self.work = 0
        self.upcoming = proposer.next(0)
        self.best, self.succeeded = table.best, False

    def cost(self) -> float | None:
        """Trainings of full length that each worker did until one of the best was trained to its end; None: never."""
        self._fill()
        while self.epochs:
            self.clock, worker, trial = heapq.heappop(self.epochs)
            self.work += 1
            goes_on = self._end_of_epoch(trial)
            if self.succeeded:
                others = sum(ends == self.clock for ends, _, _ in self.epochs)
                return (self.work + others) / self.table.max_epochs / self.workers
            if goes_on:
                heapq.heappush(self.epochs, (self.clock + 1, worker, trial))
            else:
                self.free.append(worker)
            self._fill()
        return None

    def _fill(self) -> None:
        """Gives each free worker a trial, as far as there are any."""
        while self.free and (trial := self._next_trial()) is not None:
            heapq.heappush(self.epochs, (self.clock + 1, self.free.pop(), trial))

    def _next_trial(self) -> str | None:
        resumption = self.scheduler.next_to_run(new_available=self.upcoming is not None)
        if resumption is not None:
            return resumption.trial
        if self.upcoming is None:
            return None
        trial = str(len(self.configurations))
        self.configurations.append(self.upcoming)
        self.scheduler.on_start(trial, self.table.curves[self.upcoming].params)
        self.upcoming = self.proposer.next(len(self.configurations))
        return trial

    def _end_of_epoch(self, trial: str) -> bool:
        """Reports the epoch; returns whether the trial keeps its worker."""
        configuration = self.configurations[int(trial)]
        curve = self.table.curves[configuration]
        step = self.trained[trial] = self.trained.get(trial, 0) + 1
        if step > len(curve.scores):
            self._end(trial, None, "diverged")
            return False
        score = curve.scores[step - 1]
        verdict = self.scheduler.on_report(trial, step, score)
        self.proposer.on_report(trial, step, score)
        if step == len(curve.scores) and not curve.diverged:
            self.succeeded = configuration in self.best
            self._end(trial, score, "complete")
            return False
        if verdict.decision is Decision.STOP:
            self._end(trial, score, "stopped")
        return verdict.decision is Decision.CONTINUE

    def _end(self, trial: str, score: float | None, state: str) -> None:
        self.scheduler.on_end(trial)
        self.proposer.on_end(trial, score, state)
