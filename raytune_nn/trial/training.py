"""A training in a thread of its own, and the hand-over of its reports.

It waits for the answer to a report only where the scheduler may stop it, and trains on elsewhere. Files and reports
leave by an outbox (`raytune_nn.trial.outbox`), where a report waits for the files that it speaks of.
"""

from __future__ import annotations

import contextlib
import queue
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raytune_nn.store.retry import Retry
from raytune_nn.trial.gang import Gang
from raytune_nn.trial.outbox import Outbox, node_folder
from raytune_nn.trial.outcome import Outcome, attempt
from raytune_nn.trial.pulse import Pulse
from raytune_nn.trial.ranks import ALONE, Ranks
from raytune_nn.trial.task import Report, StudyContext, TrialTask
from raytune_nn.trial.wind_down import WindDown
from raytune_nn.trial.workplace import workplace

if TYPE_CHECKING:
    from raytune_nn.trial.isolation import Isolation


class Training(threading.Thread):
    """One trial in its thread, and the hand-over of its reports."""

    def __init__(
        self,
        study: StudyContext,
        task: TrialTask,
        isolation: Isolation,
        gang: Gang | None = None,
        winds_down: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(daemon=True, name=f"trial-{task.id}")
        self._wind_down = WindDown(winds_down)
        self._task, self._isolation, self._gang = task, isolation, gang
        self._reports: queue.SimpleQueue[tuple[dict[str, Any] | None, bool] | None] = queue.SimpleQueue()
        self._waits = ""  # why the storage is waited for, until that was told
        self._ends = contextlib.ExitStack()
        self._study, files = self._ends.enter_context(workplace(study))
        retry = Retry(None if study.url else Path(study.folder), study.storage_timeout, self._wait)
        self._outbox = Outbox(tempfile.gettempdir() if study.url else node_folder(study.folder), retry, files)
        self._answered = threading.Semaphore(0)
        self._stopping = False
        self._pulse = Pulse()
        self._unanswered = False  # whether the training waits for an answer to what was collected
        # Of a state in another unit it is not known; at worst the first report waits without need.
        self._reached = task.epoch if study.fidelity.is_epochs else 0
        self._outcome: Outcome | None = None  # once it has ended

    def run(self) -> None:
        """Trains; whatever the user's code raises becomes the trial's error, and the actor lives on."""
        gang = self._gang
        try:
            self._end(attempt(self._train) if gang is None else gang.train(self._task, self._train, self._end))
        except BaseException:  # of the gang itself
            self._end(Outcome(traceback.format_exc()))

    def _train(self, ranks: Ranks = ALONE) -> None:
        from raytune_nn.trial.fit import run_trial

        with self._ends, self._outbox:
            answers = self._send, self._beat, self._outbox, ranks, self._pulse, self._wind_down
            run_trial(self._study, self._task, self._isolation, *answers)

    def _end(self, outcome: Outcome) -> None:
        """Tells how it ended; the first time counts."""
        if self._outcome is None:
            self._outcome = outcome
            self._reports.put(None)

    def go_on(self) -> None:
        """Begins, or answers the report that was collected last: the trial continues."""
        if self.ident is None and self._outcome is None:
            self._begin()
        elif self._unanswered:
            self._unanswered = False
            self._answered.release()

    def _begin(self) -> None:
        if self._wind_down.asked():
            self._wind_down.left = True
            self._end(Outcome())
        else:
            self.start()

    def collect(self) -> dict[str, Any]:
        """Blocks for the next report or beat, then gathers what follows it shortly, until one waits for its answer.

        A call of an actor costs the driver and the slot a millisecond each: short epochs share one.
        """
        reports: list[dict[str, Any]] = []
        item = self._next()
        until = time.monotonic() + self._study.report_every
        while item is not None:
            report, self._unanswered = item
            if report is not None:
                reports.append(report)
            try:
                if self._unanswered:
                    raise queue.Empty
                item = self._reports.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return {"reports": reports, "ended": False, "error": "", **self._take_waits()}
        outcome = self._outcome or Outcome()
        names = ("out_of_memory", "node_lost", "unusable", "storage_lost")
        more = {name: value for name in names if (value := getattr(outcome, name))}
        if self._wind_down.left and not outcome.error:
            more["left"] = True
        return {"reports": reports, "ended": True, "error": outcome.error, **more, **self._take_waits()}

    def _next(self) -> tuple[dict[str, Any] | None, bool] | None:
        """The next report or beat; a beat as well where only batches went by, and nothing where none does."""
        while True:
            batches = self._pulse.batches
            try:
                return self._reports.get(timeout=self._study.beat_seconds)
            except queue.Empty:
                if self._pulse.batches != batches:
                    return None, False

    @property
    def node_lost(self) -> bool:
        """Whether it ended since a node of its workers was lost."""
        return self._outcome is not None and self._outcome.node_lost

    def stop(self, seconds: float) -> bool:
        """Tells the training to end at its next report or beat; returns whether it did."""
        self._stopping = True
        self._outbox.drop()
        self._answered.release()
        if self.ident is not None:
            self.join(seconds)
        return not self.is_alive()

    def _send(self, report: Report) -> bool:
        if self._stopping:
            return False
        waits = self._must_wait(report)
        self._outbox.then(partial(self._hand_over, report, waits))
        if waits:
            self._outbox.drain()
            self._answered.acquire()
        return not self._stopping

    def _hand_over(self, report: Report, waits: bool, lost: str) -> None:
        if lost:
            report = replace(report, saved=False, unsaved=lost)
        self._reports.put((asdict(report), waits))

    def _beat(self) -> bool:
        """Whether to stop, asked where there is no report: the slot's call returns, so that it can be told."""
        self._reports.put((None, False))
        return self._stopping

    def _wait(self, reason: str, first: bool) -> None:
        """Of whichever thread: it waits for the storage, and lives."""
        if first:
            self._waits = reason
        self._reports.put((None, False))

    def _take_waits(self) -> dict[str, str]:
        waits, self._waits = self._waits, ""
        return {"waits": waits} if waits else {}

    def _must_wait(self, report: Report) -> bool:
        """Whether the scheduler may stop or pause the trial here."""
        reached = self._study.fidelity.reached(vars(report))
        if reached is None:
            return False  # the training ends by itself
        earlier, self._reached = self._reached, reached
        return self._study.waits(earlier, reached)
