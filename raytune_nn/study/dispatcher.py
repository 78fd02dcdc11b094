"""Says what a free slot does next: a trial that lost its slot, one that paused, or a new one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from raytune_nn.search.scheduler import Scheduler
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.checkpoints import States, state_path
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.trial.task import TrialTask


class Dispatcher:
    """Hands out pieces of work.

    Args:
        record: Of the study; ``write`` keeps it up to date.
        num_trials: Trials to suggest in all, those in the record counted.
        write: Writes an event.
        identity: Of a trial with these parameters; empty where it is not known.
    """

    def __init__(
        self,
        record: StudyRecord,
        states: States,
        searcher: Searcher,
        scheduler: Scheduler,
        num_trials: int,
        write: Callable[..., None],
        identity: Callable[[dict[str, Any]], str] = lambda params: "",
    ) -> None:
        self._record, self._states, self._searcher, self._scheduler = record, states, searcher, scheduler
        self._num_trials, self._write, self._identity = num_trials, write, identity
        self._waiting, self._alone = deque[str](), deque[str]()
        for trial in record.trials.values():
            if trial.state == "waiting":
                self._queue(trial)
        self._exhausted = False  # the searcher has nothing more to suggest
        self._stuck = False  # nothing runs, and no paused trial is to go on
        self._tasks: dict[str, TrialTask] = {}  # by trial: what is handed out and not over
        self._pieces = 0

    def next(self) -> TrialTask | None:
        """The next piece of work; None where there is none at present.

        Last come trials that need a GPU to themselves: one is free where no other trial is left on it.
        """
        trial = self._first_of(self._waiting) or self._resume()
        if trial is None and self._new_available:
            trial = self._suggest() or self._resume()
        trial = trial or self._first_of(self._alone)
        if trial is None:
            self._stuck = self._handed_out == 0
            return None
        self._tasks[trial.id] = task = self._task(trial)
        return task

    @property
    def finished(self) -> bool:
        """Whether no piece of work will come any more."""
        paused = 0 if self._stuck else self._record.counts["paused"]
        return not self._new_available and self._handed_out + paused == 0

    def is_current(self, task: TrialTask) -> bool:
        """Whether a piece of work is not over."""
        current = self._tasks.get(task.id)
        return current is not None and current.piece == task.piece

    def is_at_work(self, trial: str) -> bool:
        """Whether a piece of work on it is handed out and not over."""
        return trial in self._tasks

    @property
    def at_work(self) -> int:
        """Pieces of work that are handed out and not over."""
        return len(self._tasks)

    @property
    def running(self) -> int:
        """Pieces of work that began and are not over."""
        return sum(self._record.trials[trial].state == "running" for trial in self._tasks)

    def begins_at(self, trial: str) -> int:
        """The epoch of the state with which the current piece of work on a trial begins; 0: from the beginning."""
        return self._tasks[trial].epoch

    def end(self, trial: str) -> None:
        """The current piece of work on a trial is over."""
        self._tasks.pop(trial, None)

    def fall_back(self, trial: str, why: str, error: str) -> None:
        """Its state cannot be used, so the trial waits to go on from the one before, or to begin anew."""
        record = self._record.trials[trial]
        epoch = 0 if record.before is None else record.before.epochs
        what = {"file": str(state_path(Path("checkpoints"), trial, record.saves)), "why": why, "error": error}
        params = self._scheduler.on_fall_back(trial, epoch)
        self._write("fell_back", trial=trial, epoch=epoch, params=params, **what)
        self.retry(trial)

    def retry(self, trial: str) -> None:
        """It came to nothing, and the trial waits for another one."""
        self.end(trial)
        self._queue(self._record.trials[trial])

    @property
    def _new_available(self) -> bool:
        return not self._exhausted and len(self._record.trials) < self._num_trials

    @property
    def _handed_out(self) -> int:
        return self._record.counts["waiting"] + self._record.counts["running"]

    def _task(self, trial: TrialRecord) -> TrialTask:
        """From the trial's last state, if there is one; whether it can be used, the slot finds out."""
        self._pieces += 1
        front, saves = self._record.kept.bar, trial.saves
        task = TrialTask(trial.id, trial.params, front, saves=saves, piece=self._pieces, alone=trial.alone)
        if trial.saved is None:
            return task
        values = self._record.objective.values(trial.saved.metrics)
        return replace(task, values=values, epoch=trial.saved.epochs)

    def _queue(self, trial: TrialRecord) -> None:
        (self._alone if trial.alone else self._waiting).append(trial.id)

    def _first_of(self, queue: deque[str]) -> TrialRecord | None:
        """The next trial that lost its slot, by a failure or the end of its driver."""
        while queue:
            trial = self._record.trials[queue.popleft()]
            if trial.state == "waiting":
                return trial
        return None

    def _resume(self) -> TrialRecord | None:
        """The paused trial that the scheduler wants to go on now."""
        new = self._new_available
        resumption = self._scheduler.next_to_run(new)
        if resumption is None:
            return None
        trial, source = self._record.trials[resumption.trial], resumption.source
        if source is not None:
            if not self._scheduler.copies:
                raise TypeError(f"{type(self._scheduler).__name__} copied trial {source}, but its `copies` is false")
            self._states.hand_over(self._record.trials[source], trial)
        reason = resumption.words(self._record.objective.maximise)
        why = {"reason": reason} if reason else {}
        self._write("resumed", trial=trial.id, source=source, params=resumption.params, new=new, **why)
        return trial

    def _suggest(self) -> TrialRecord | None:
        number = len(self._record.trials)
        params = self._searcher.suggest(number)
        if params is None:
            self._exhausted = True
            return None
        identity = self._identity(params)
        self._write("suggested", trial=str(number), params=params, **({"identity": identity} if identity else {}))
        self._scheduler.on_start(str(number), params)
        return self._record.trials[str(number)]
