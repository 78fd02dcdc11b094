"""A study on a virtual clock: schedulers and searchers as they are, training replaced by reading a table of curves."""

from __future__ import annotations

import heapq

from curve_table import Table
from proposals import Proposals

from raytune_nn.search.scheduler import Decision, Scheduler


class Simulation:
    """Workers that train trials; each epoch takes one unit of time, pausing and resuming none.

    A trial that diverges ends by itself, one epoch after its last score.
    """

    def __init__(self, table: Table, scheduler: Scheduler, proposals: Proposals, workers: int) -> None:
        self.table, self.scheduler, self.proposals, self.workers = table, scheduler, proposals, workers
        self.best = table.best
        self.configurations: list[int] = []  # by trial
        self.trained: dict[str, int] = {}  # epochs by trial
        self.free = list(reversed(range(workers)))
        self.epochs: list[tuple[int, int, str]] = []  # a heap: when the epoch ends, the worker, the trial
        self.work = 0  # epochs of all workers so far
        self.succeeded = False

    def cost(self) -> float | None:
        """Trainings of full length that each worker did until one of the best was trained to its end; None: never."""
        self._fill()
        while self.epochs:
            clock, worker, trial = heapq.heappop(self.epochs)
            self.work += 1
            goes_on = self._end_epoch(trial)
            if self.succeeded:
                at_the_same_time = sum(end == clock for end, _, _ in self.epochs)
                return (self.work + at_the_same_time) / self.table.max_epochs / self.workers
            if goes_on:
                heapq.heappush(self.epochs, (clock + 1, worker, trial))
            else:
                self.free.append(worker)
            self._fill(clock)
        return None

    def _fill(self, clock: int = 0) -> None:
        """Gives each free worker a trial, as far as there are any."""
        while self.free and (trial := self._next_trial()) is not None:
            heapq.heappush(self.epochs, (clock + 1, self.free.pop(), trial))

    def _next_trial(self) -> str | None:
        number = len(self.configurations)
        new_available = number < len(self.table.curves)
        resumption = self.scheduler.next_to_run(new_available)
        if resumption is not None:
            return resumption.trial
        if not new_available:
            return None
        trial, configuration = str(number), self.proposals.next(number)
        self.configurations.append(configuration)
        self.scheduler.on_start(trial, self.table.curves[configuration].params)
        return trial

    def _end_epoch(self, trial: str) -> bool:
        """Reports the epoch; returns whether the trial keeps its worker."""
        configuration = self.configurations[int(trial)]
        curve = self.table.curves[configuration]
        step = self.trained[trial] = self.trained.get(trial, 0) + 1
        if step > len(curve.scores):
            self.scheduler.on_end(trial, complete=False)
            self.proposals.learn(trial, configuration, None, "diverged")
            return False
        score = curve.scores[step - 1]
        verdict = self.scheduler.on_report(trial, step, score)
        self.proposals.on_report(trial, step, score)
        if step == len(curve.scores) and not curve.diverged:
            self.succeeded = configuration in self.best
            # In a study all trainings have one length: a shorter run of a table is no end that a scheduler waits for.
            self.scheduler.on_end(trial, complete=step == self.table.max_epochs)
            self.proposals.learn(trial, configuration, score, "complete")
            return False
        if verdict.decision is Decision.STOP:
            self.scheduler.on_end(trial, complete=False)
            self.proposals.learn(trial, configuration, score, "stopped")
        elif verdict.decision is Decision.PAUSE:
            self.proposals.on_pause(trial, configuration)
        return verdict.decision is Decision.CONTINUE
