"""How trials end, pause or are tried again: written down, and told to all who wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raytune_nn.config.secrets import Secrets
from raytune_nn.errors import RaytuneError
from raytune_nn.search.scheduler import Decision, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.causes import diagnose, shorten
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.dispatcher import Dispatcher
from raytune_nn.study.failures import Failures
from raytune_nn.study.unlogged import Unlogged

ALONE_NEXT = "out of memory on a shared GPU: again with one to itself"
ALONE_AND_FAILED = "out of memory with a GPU to itself: a smaller data.batch_size or model would fit"


class TrialEndings:
    """Of one study.

    Args:
        record: Of the study; ``write`` keeps it up to date.
        dispatcher: Hands failed trials out again.
        failures: Says which, and when failures end the study.
        secrets: What tracebacks must not show.
        write: Writes an event.
    """

    def __init__(
        self,
        record: StudyRecord,
        dispatcher: Dispatcher,
        searcher: Searcher,
        scheduler: Scheduler,
        failures: Failures,
        secrets: Secrets,
        write: Callable[..., None],
    ) -> None:
        self._record, self._dispatcher, self._failures = record, dispatcher, failures
        self._searcher, self._scheduler, self._secrets, self._write = searcher, scheduler, secrets, write

    def end(self, trial: TrialRecord, state: str, reason: str = "", **more: Any) -> None:
        """The trial is over."""
        self._write("ended", trial=trial.id, state=state, reason=reason, **more)
        self._dispatcher.end(trial.id)
        if trial.until:  # they know its end already
            return
        self._scheduler.on_end(trial.id, state == "complete")
        self._searcher.on_end(trial.id, trial.params, self._record.final_score(trial), state)

    def carry_out(self, trial: TrialRecord, verdict: Verdict) -> None:
        """Stops or pauses a trial after its last report, as the scheduler has decided.

        A trial whose training came to its own end at this report is not paused: it is complete.
        """
        pauses = verdict.decision is Decision.PAUSE
        if pauses and not self._scheduler.pauses:
            raise TypeError(f"{type(self._scheduler).__name__} paused trial {trial.id}, but its `pauses` is false")
        if pauses and not (trial.just_saved or trial.partial):
            self.end(trial, "complete")
            return
        reason = verdict.words(self._record.objective.maximise)
        self._write("decided", trial=trial.id, epoch=trial.epochs, decision=str(verdict.decision), reason=reason)
        self._dispatcher.end(trial.id)
        if pauses:
            self._searcher.on_pause(trial.id, trial.params)
        else:
            self.end(trial, "stopped", reason)

    def fail(self, trial: TrialRecord, error: str, out_of_memory: bool, lost: bool, counts: bool) -> str:
        """The trial failed, and is tried again or over; returns why the study ends, empty where it goes on.

        Args:
            error: The traceback.
            out_of_memory: For the memory of a GPU, where trials share them.
            lost: Its process was.
            counts: Whether a loss is one of ``failures.max_retries``; if not, it is tried again in any case.
        """
        error = self._secrets.hide(error)
        if out_of_memory and not trial.alone:  # not its own fault, so it costs no retry
            self._retry(trial, error=shorten(error), reason=ALONE_NEXT, alone=True)
            return ""
        if out_of_memory:
            self.end(trial, "failed", ALONE_AND_FAILED, error=shorten(error))
            return ""
        diagnosis = diagnose(error)
        why = {"error": shorten(error), **diagnosis._asdict()}
        if not counts or self._failures.try_again(trial, lost):
            self._retry(trial, **why, **({} if counts else {"counts": False}))
            return ""
        self.end(trial, "failed", **why)
        return self._failures.end_study(trial, diagnosis)

    def end_unlogged(self, trial: TrialRecord, unlogged: Unlogged) -> RaytuneError | None:
        """The trial did not log what it must; returns what makes the whole study wrong, where no trial has logged it.

        What others have found is not thrown away.
        """
        if any(other.value is not None for other in self._record.trials.values()):
            self.end(trial, "failed", str(unlogged))
            return None
        return unlogged.error

    def end_all(self, reason: str) -> None:
        """The study is over, and with it what is paused or was cut off."""
        for trial in self._record.trials.values():
            if trial.state == "paused":
                self.end(trial, "stopped", trial.reason)
            elif not trial.ended:
                cut_off = reason or trial.value is not None
                self.end(trial, "stopped" if cut_off else "failed", reason or "never came to its end")

    def _retry(self, trial: TrialRecord, **why: Any) -> None:
        self._write("retried", trial=trial.id, **why)
        self._dispatcher.retry(trial.id)
