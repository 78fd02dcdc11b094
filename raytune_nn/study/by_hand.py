"""Trials and studies that are stopped by hand, from another process (`raytune_nn.modes.stop`).

A trial that is at work ends at its next report, which the scheduler is told as any other, and its value counts; one
that waits or is paused ends at once. The journal has the request and the end, so a resumed study replays them. A whole
study ends as by a SIGTERM: that is what its driver sends to itself.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from raytune_nn.search.scheduler import Decision, Verdict
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.record import BY_HAND, StudyRecord
from raytune_nn.store.stop_requests import STUDY, StopListener
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.dispatcher import Dispatcher
from raytune_nn.study.trial_endings import TrialEndings


class ByHand:
    """Of one study.

    Args:
        record: Of the study; ``write`` keeps it up to date.
        dispatcher: Knows which trials are at work.
        endings: Ends those that are not.
        write: Writes an event.
    """

    def __init__(
        self, record: StudyRecord, dispatcher: Dispatcher, endings: TrialEndings, write: Callable[..., None]
    ) -> None:
        self._record, self._dispatcher, self._endings, self._write = record, dispatcher, endings, write
        self._asked = {trial.id for trial in record.trials.values() if trial.stop_asked and not trial.ended}
        self._listener: StopListener | None = None

    @contextmanager
    def listening(self, folder: StudyFolder) -> Iterator[None]:
        """While inside, other processes are heard."""
        with StopListener(folder, partial(os.kill, os.getpid(), signal.SIGTERM)) as self._listener:
            yield

    def look(self) -> None:
        """Called often: takes in what is asked for, and ends those trials that have no report to come."""
        while self._listener is not None and (what := self._listener.heard()) is not None:
            self.ask(what)
            self._listener.answer(what)
        for id in sorted(self._asked):
            trial = self._record.trials[id]
            if not trial.ended and not self._dispatcher.is_at_work(id):
                self._endings.end(trial, "stopped", BY_HAND)
            if trial.ended:
                self._asked.discard(id)

    def ask(self, what: str) -> None:
        """A trial's id, or the whole study; what is none, has ended or was asked for before changes nothing."""
        trial = self._record.trials.get(what)
        if what == STUDY:
            self._write("stop_asked")
        elif trial is not None and not trial.ended and not trial.stop_asked:
            self._write("stop_asked", trial=what)
            self._asked.add(what)

    def overrule(self, trial: TrialRecord, verdict: Verdict) -> Verdict:
        """What becomes of a trial after a report, where the scheduler has said this."""
        return Verdict(Decision.STOP, BY_HAND) if trial.id in self._asked else verdict
