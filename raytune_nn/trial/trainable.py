"""The slot: a Ray Tune trainable whose actor trains one trial after another.

Tune asks by ``step`` and gets all reports since it last asked. The training runs in a thread of its own: it waits
for the answer to a report only where the scheduler may stop it, and trains on elsewhere. Files and reports leave by an
outbox (`raytune_nn.trial.outbox`), where a report waits for the files that it speaks of.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ray import tune

from raytune_nn.errors import RaytuneError
from raytune_nn.trial.gang import Gang, Outcome, attempt, start_gang
from raytune_nn.trial.outbox import Outbox, node_folder
from raytune_nn.trial.pulse import Pulse
from raytune_nn.trial.ranks import ALONE, Ranks
from raytune_nn.trial.targets import TargetCheck, as_plain
from raytune_nn.trial.task import Report, StudyContext, TrialTask

if TYPE_CHECKING:
    from raytune_nn.trial.isolation import Isolation

STOP_SECONDS = 60.0  # how long a stopped training may take to reach its next epoch's end before its process is given up


class TrialActor(tune.Trainable):
    """Runs ``run_trial`` for each configuration that Tune hands to this actor."""

    _refusal: tuple[str, str | None, str] | None = None  # why no configuration of this study can be trained
    _gang: Gang | None = None  # the other workers, where a trial has several

    def setup(self, config: dict[str, Any], study: StudyContext, check: TargetCheck) -> None:  # type: ignore[override]  # by with_parameters
        """Imports the libraries and the user's modules once, and checks that a trial can begin (stage B).

        The trial begins with the first ``step``: Tune gives its trial to another actor where one becomes free earlier.
        """
        from raytune_nn.trial.gpu import limit_memory
        from raytune_nn.trial.instantiate import setting
        from raytune_nn.trial.rehearsal import prepare

        self._study, self._gang = study, start_gang(study, check)  # its workers import while this one does
        task: TrialTask = config["task"]
        try:
            limit_memory(1.0 if task.alone else float(setting(study.config, "resources.gpus")))
            self._isolation = prepare(study, check)
        except RaytuneError as error:
            self._refusal = as_plain(error)
        else:
            if self._gang is not None:
                self._gang.wait()
            self._take(config)

    def step(self) -> dict[str, Any]:
        """The reports since the last call; with ``ended`` true, and the error if there was one, at the last.

        With ``out_of_memory``, the error was that a GPU's memory was too small; with ``node_lost``, that a worker's
        node is gone.
        With ``unusable``, it says why the trial cannot go on from the state that its task names.
        With ``refused``, the arguments of an error, no configuration of this study can be trained.
        """
        if self._refusal is not None:
            return {"reports": [], "ended": True, "error": "", "refused": self._refusal}
        self._training.go_on()
        return self._training.collect()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Ends the old trial and begins the next; an error makes Tune give this process up."""
        if self._refusal is not None:
            return True
        if self._training.node_lost:  # the placement group has a hole, which nobody knows when it is filled
            raise RuntimeError("a node of this slot is lost")
        if not self._training.stop(STOP_SECONDS):
            raise TimeoutError(f"{self._training.name} was told to stop and goes on after {STOP_SECONDS:g} s")
        self._take(new_config)
        self._training.go_on()  # it stays with this actor, so the first ``step`` need not come first
        return True

    def cleanup(self) -> None:
        """Lets the trial reach its next report, so that its TensorBoard run is closed."""
        if self._refusal is None and not self._training.node_lost:  # else it may wait for that node's workers
            self._training.stop(STOP_SECONDS)
        if self._gang is not None:
            self._gang.end()

    def _take(self, config: dict[str, Any]) -> None:
        task: TrialTask = config["task"]
        self._training = _Training(self._study, task, self._isolation, self._gang)


class _Training(threading.Thread):
    """One trial in its thread, and the hand-over of its reports."""

    def __init__(self, study: StudyContext, task: TrialTask, isolation: Isolation, gang: Gang | None = None) -> None:
        super().__init__(daemon=True, name=f"trial-{task.id}")
        self._study, self._task, self._isolation, self._gang = study, task, isolation, gang
        self._reports: queue.SimpleQueue[tuple[dict[str, Any] | None, bool] | None] = queue.SimpleQueue()
        self._outbox = Outbox(node_folder(study.folder))
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

        with self._outbox:
            answers = self._send, self._beat
            run_trial(self._study, self._task, self._isolation, *answers, self._outbox, ranks, self._pulse)

    def _end(self, outcome: Outcome) -> None:
        """Tells how it ended; the first time counts."""
        if self._outcome is None:
            self._outcome = outcome
            self._reports.put(None)

    def go_on(self) -> None:
        """Begins, or answers the report that was collected last: the trial continues."""
        if self.ident is None:
            self.start()
        elif self._unanswered:
            self._unanswered = False
            self._answered.release()

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
                return {"reports": reports, "ended": False, "error": ""}
        outcome = self._outcome or Outcome()
        names = ("out_of_memory", "node_lost", "unusable")
        more = {name: value for name in names if (value := getattr(outcome, name))}
        return {"reports": reports, "ended": True, "error": outcome.error, **more}

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

    def _must_wait(self, report: Report) -> bool:
        """Whether the scheduler may stop or pause the trial here."""
        reached = self._study.fidelity.reached(vars(report))
        if reached is None:
            return False  # the training ends by itself
        earlier, self._reached = self._reached, reached
        return self._study.waits(earlier, reached)
