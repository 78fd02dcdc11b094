"""Decides what happens in a study and writes it down: which trial is next, what a report means, when it ends.

No Ray here: the adapter in ``study/tuner.py`` and the single training in ``modes/train.py`` both drive this object, and
everything that it decides follows from the events in its journal.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.search.scheduler import Decision, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.journal import Event, Journal
from raytune_nn.store.record import StudyRecord, TrialRecord
from raytune_nn.study.budget import Budget
from raytune_nn.trial.task import TrialTask

Listener = Callable[[Event, StudyRecord], None]


class Conductor:
    """The study's one decision maker.

    Args:
        record: What the journal says so far; updated by each event.
        num_trials: Trials to suggest in all, those in the record counted.
        max_retries: How often a failed trial is tried again.
        listener: Told each event after it is in the journal.
    """

    def __init__(
        self,
        record: StudyRecord,
        journal: Journal,
        searcher: Searcher,
        scheduler: Scheduler,
        budget: Budget,
        num_trials: int,
        max_retries: int,
        listener: Listener,
    ) -> None:
        self.record, self._journal = record, journal
        self._searcher, self._scheduler, self._budget = searcher, scheduler, budget
        self._num_trials, self._max_retries = num_trials, max_retries
        self._listener = listener
        self._waiting = deque(trial.id for trial in record.trials.values() if not trial.ended)
        self._exhausted = False  # the searcher has nothing more to suggest
        best = record.best  # a driver may have died between reaching the target and writing that the study ended
        self.ending = budget.reaches_target(best.value) if best and best.value is not None else ""
        self.fault: RaytuneError | None = None  # what makes the whole study wrong

    def next_task(self) -> TrialTask | None:
        """The next trial to run; None where there is none (at present, see ``finished``)."""
        if self.ending:
            return None
        trial = self._resumed() or self._suggest()
        if trial is None:
            return None
        best = self.record.best
        return TrialTask(trial.id, trial.params, best.value if best else None)

    @property
    def finished(self) -> bool:
        """Whether no trial will come any more, not even a failed one again."""
        if self.ending:
            return True
        handed_out = self.record.counts["waiting"] + self.record.counts["running"]
        exhausted = self._exhausted or len(self.record.trials) >= self._num_trials
        return exhausted and handed_out == 0

    def started(self, trial: str, **where: Any) -> None:
        """A slot begins to train this trial."""
        self._write("started", trial=trial, **where)

    def reported(self, trial: str, report: Mapping[str, Any]) -> bool:
        """Takes one report in; returns whether the trial goes on."""
        state = self.record.trials[trial]
        if state.ended or self.ending:
            return False  # what a trial still had on its way when it was stopped
        if report["checkpoint"] is not None:  # first: a trial that is stopped for its last report keeps its model
            self._write("checkpointed", trial=trial, epoch=report["epoch"], folder=report["checkpoint"])
        self._write("reported", trial=trial, **{key: report[key] for key in ("epoch", "step", "seconds", "metrics")})
        value = self.record.objective.value(report["metrics"])
        if value is None:
            self._missing_metric(state, report["metrics"])
            return False
        if not math.isfinite(value):
            self._end(state, "diverged", f"{self.record.objective.metric} was {value} at epoch {report['epoch']}")
            return False
        return self._decide(state, report["epoch"], value)

    def ended(self, trial: str, error: str = "") -> None:
        """The trial's training is over: it came to its end, was stopped, or failed with this traceback."""
        state = self.record.trials[trial]
        if state.ended or self.ending:
            return  # ``close`` says what becomes of trials that the study's end cut off
        if error and state.retries < self._max_retries:
            self._write("retried", trial=trial, error=error)
            self._waiting.append(trial)
        elif error:
            self._end(state, "failed", _last_line(error), error=error)
        elif state.epochs == 0:
            self._missing_metric(state, {})
        else:
            self._end(state, "complete")

    def stop(self, trial: TrialRecord, epoch: int, verdict: Verdict) -> None:
        """Ends a trial by the scheduler's verdict."""
        self._write("decided", trial=trial.id, epoch=epoch, decision=str(verdict.decision), reason=verdict.reason)
        self._end(trial, "stopped", verdict.reason)

    def tick(self) -> None:
        """Called often, also while nothing happens: spent hours, and what must reach the disk."""
        self._journal.sync()
        if not self.ending:
            self.ending = self._budget.spent(self.record)

    def interrupt(self) -> None:
        """Ends the study but not its running trials: the same command goes on with them."""
        self.ending = self.ending or "interrupted"

    def close(self, interrupted: bool) -> None:
        """Ends what still runs and writes how the study ended.

        Args:
            interrupted: Whether a signal came; what runs is then left as it is, to be resumed.
        """
        if self.fault is not None:
            status = "invalid" if isinstance(self.fault, ConfigError) else "failed"
        elif interrupted:
            status = "interrupted"
        else:
            for trial in self.record.trials.values():
                if not trial.ended:
                    cut_off = self.ending or trial.value is not None
                    self._end(trial, "stopped" if cut_off else "failed", self.ending or "never came to its end")
            status = "complete" if self.record.best is not None else "failed"
        self._write("closed", status=status, reason=self.ending)
        self._journal.sync(force=True)

    def _resumed(self) -> TrialRecord | None:
        """The next trial that waits to begin anew, after a failure or the end of its driver."""
        while self._waiting:
            trial = self.record.trials[self._waiting.popleft()]
            if not trial.ended:
                return trial
        return None

    def _suggest(self) -> TrialRecord | None:
        number = len(self.record.trials)
        if self._exhausted or number >= self._num_trials:
            return None
        params = self._searcher.suggest(number)
        if params is None:
            self._exhausted = True
            return None
        self._write("suggested", trial=str(number), params=params)
        return self.record.trials[str(number)]

    def _decide(self, trial: TrialRecord, epoch: int, value: float) -> bool:
        target = self._budget.reaches_target(value) if self.record.has_all_folds(trial) else ""
        if target:
            self.ending = target
            self._end(trial, "stopped", target)
            return False
        verdict = self._scheduler.on_report(trial.id, epoch, self.record.objective.score(value))
        if verdict.decision is Decision.CONTINUE:
            self.tick()  # a single training has nobody else to look at the clock
            return not self.ending
        self.stop(trial, epoch, verdict)
        return False

    def _end(self, trial: TrialRecord, state: str, reason: str = "", **more: Any) -> None:
        self._write("ended", trial=trial.id, state=state, reason=reason, **more)
        self._scheduler.on_end(trial.id)
        self._searcher.on_end(trial.id, trial.params, self.record.final_score(trial))

    def _missing_metric(self, trial: TrialRecord, metrics: Mapping[str, float]) -> None:
        """Where no trial has logged it, the study as a whole is wrong; what others have found is not thrown away."""
        metric = self.record.objective.metric
        if any(other.value is not None for other in self.record.trials.values()):
            self._end(trial, "failed", f"{metric} is not logged")
            return
        names = sorted(metrics)
        known = ", ".join(names) or "nothing at all"
        longer = [name for name in names if name.startswith(metric)]  # several loaders: val_acc/dataloader_idx_0
        self.fault = ConfigError(
            "objective.metric must be logged by the module (self.log) in training or validation",
            f"{metric}; the module logs {known}",
            f"objective.metric={(longer or names)[0]}" if names else "self.log(…) in validation_step",
        )
        self.ending = f"{metric} is not logged"

    def _write(self, type: str, **fields: Any) -> None:
        event = self._journal.append(type, **fields)
        self.record.apply(event)
        self._listener(event, self.record)


def _last_line(traceback: str) -> str:
    return (traceback.strip().splitlines() or ["no word of what went wrong"])[-1]
