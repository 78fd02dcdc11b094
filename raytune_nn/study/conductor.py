"""Decides what happens in a study and writes it down: which trial is next, what a report means, when it ends.

No Ray here: the adapter in ``study/tuner.py`` and the single training in ``modes/train.py`` both drive this object, and
everything that it decides follows from the events in its journal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import finite
from raytune_nn.config.secrets import Secrets
from raytune_nn.errors import ConfigError, RaytuneError, UnusableError
from raytune_nn.search.scheduler import Decision, Scheduler
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.checkpoints import States
from raytune_nn.store.journal import Event, Journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.budget import Budget
from raytune_nn.study.by_hand import ByHand
from raytune_nn.study.cache import Cache
from raytune_nn.study.dispatcher import Dispatcher
from raytune_nn.study.failures import STOPPED, Failures
from raytune_nn.study.room import Room
from raytune_nn.study.takeover import Takeover
from raytune_nn.study.trial_endings import TrialEndings
from raytune_nn.study.unlogged import Unlogged
from raytune_nn.trial.task import TrialTask

Listener = Callable[[Event, StudyRecord], None]

INTERRUPTED = "interrupted"
_ALSO = ("saved", "rung", "unsaved", "unlogged", "cached", "machine")  # of a report, where there is such a thing
STATUS_OF = {ConfigError: "invalid", UnusableError: INTERRUPTED}  # of a study that ends with such a fault


class Conductor:
    """The study's one decision maker.

    Args:
        record: What the journal says so far; updated by each event.
        states: Of trainings that can go on.
        num_trials: Trials to suggest in all, those in the record counted.
        failures: Says which failed trials are tried again, and when failures end the study.
        listener: Told each event after it is in the journal.
        fidelity: What searcher and scheduler count.
        secrets: What tracebacks must not show.
        room: Says whether another trial may begin.
        cache: Of trials that need not be trained; None: all are.
    """

    def __init__(
        self,
        record: StudyRecord,
        journal: Journal,
        states: States,
        searcher: Searcher,
        scheduler: Scheduler,
        budget: Budget,
        num_trials: int,
        failures: Failures,
        listener: Listener,
        fidelity: Fidelity,
        secrets: Secrets,
        room: Room,
        cache: Cache | None = None,
    ) -> None:
        self.record, self._journal, self._states, self.room = record, journal, states, room
        self._searcher, self._scheduler, self._budget = searcher, scheduler, budget
        self._failures, self._listener, self._fidelity, self._secrets = failures, listener, fidelity, secrets
        known = () if cache is None else (cache.identity,)
        self._dispatcher = Dispatcher(record, states, searcher, scheduler, num_trials, self._write, *known)
        self.endings = TrialEndings(record, self._dispatcher, searcher, scheduler, failures, secrets, self._write)
        self._work: Dispatcher | Takeover = self._dispatcher
        if cache is not None:
            self._work = Takeover(self, self._dispatcher, record, cache, self._write)
        self.by_hand = ByHand(record, self._dispatcher, self.endings, self._write)
        best = record.best  # a driver may have died between reaching the target and writing that the study ended
        self.ending = budget.reaches_target(best.value) if best and best.value is not None else ""
        self.fault: RaytuneError | None = None  # what makes the whole study wrong
        self.winds_down = False  # no work is handed out: the study was interrupted, and trials that run leave
        self._until = math.inf  # then what still runs is cut off

    def next_task(self) -> TrialTask | None:
        """The next piece of work; None where there is none (at present, see ``finished``).

        First come trials that lost their slot, then paused ones that the scheduler wants to go on, then new ones.
        """
        self.tick()
        if self.ending or self.winds_down or self.room.reason:
            return None
        return self._work.next()

    def is_current(self, task: TrialTask) -> bool:
        """Whether a piece of work is not over yet; what is still heard of an earlier one does not count."""
        return self._dispatcher.is_current(task)

    @property
    def finished(self) -> bool:
        """Whether no trial will come any more, not even a failed one again."""
        return bool(self.ending) or self._work.finished

    def started(self, trial: str, **where: Any) -> None:
        """A slot begins with the piece of work on this trial."""
        self._failures.began(self.record.trials[trial])
        epoch = self._dispatcher.begins_at(trial)
        self._write("started", trial=trial, **({"epoch": epoch} if epoch else {}), **where)

    def reported(self, trial: str, report: Mapping[str, Any]) -> bool:
        """Takes one report in; returns whether the trial goes on."""
        state = self.record.trials[trial]
        if state.ended or state.state == "paused" or self.ending:
            return False  # what a trial still had on its way when it was stopped
        reached = self._fidelity.reached(report)
        if reached is None:  # before it is written: what is in the journal can be replayed
            self._end_unlogged(state, Unlogged.fidelity(self._fidelity, report["metrics"]))
            return False
        if report["checkpoint"] is not None:  # first: a trial that is stopped for its last report keeps its model
            self._write("checkpointed", trial=trial, epoch=report["epoch"], folder=report["checkpoint"])
        more = {key: report[key] for key in _ALSO if report.get(key)}
        content = {key: report[key] for key in ("epoch", "step", "seconds", "metrics")}
        self._write("reported", trial=trial, **content, **more)
        values = self.record.objective.values(report["metrics"])
        if values is None:
            self._end_unlogged(state, Unlogged.metric(self.record.objective, report["metrics"]))
            return False
        if not finite(values):
            what = self.record.objective.not_finite(values)
            self.endings.end(state, "diverged", f"{what} at epoch {report['epoch']}")
            return False
        goes_on = self._decide(state, reached, values[0])
        self.tick()  # no other slot's report counts once a limit is reached; and a single training has no other clock
        return goes_on and not self.ending

    def ended(
        self, trial: str, error: str = "", out_of_memory: bool = False, lost: bool = False, counts: bool = True
    ) -> None:
        """The trial's training is over: it came to its end, was stopped, or failed with this traceback.

        Args:
            out_of_memory: Whether it failed for the memory of a GPU, where trials share them.
            lost: Whether its process was: ``error`` then ends with the reason in one line.
            counts: Whether that is one of ``failures.max_retries``; if not, it is tried again in any case.
        """
        state = self.record.trials[trial]
        if state.ended or state.state == "paused" or self.ending:
            return  # ``close`` says what becomes of trials that the study's end cut off
        if error:
            self.ending = self.endings.fail(state, error, out_of_memory, lost, counts)
        elif state.epochs == 0:
            self._end_unlogged(state, Unlogged.metric(self.record.objective, {}))
        else:
            self.endings.end(state, "complete")
        self.tick()

    def left(self, trial: str) -> None:
        """The trial's training has left, as the study winds down; its last report says whether its state is saved."""
        self._dispatcher.end(trial)

    def fall_back(self, trial: str, why: str, error: str) -> None:
        """The trial cannot go on from the state that its task named, which is nobody's fault and costs no retry.

        Args:
            why: What is wrong with the state.
            error: The traceback.
        """
        state = self.record.trials[trial]
        if not (state.ended or state.state == "paused" or self.ending):
            self._dispatcher.fall_back(trial, self._secrets.hide(why), self._secrets.hide(error))

    def tick(self) -> None:
        """Called often, also while nothing happens: spent hours, what must reach the disk, and the room there."""
        self._journal.sync()
        self.by_hand.look()
        if not self.ending:
            self.ending = self._budget.spent(self.record)
            if (fault := self.room.look(self._dispatcher.at_work, self._write)) is not None:
                self.give_up(fault)
        if self.winds_down and (time.monotonic() >= self._until or not self._dispatcher.running):
            self.ending = self.ending or INTERRUPTED

    def interrupt(self, grace_seconds: float = 0.0) -> None:
        """Ends the study but not its running trials, which have so long to save their states; with 0 at once."""
        self.winds_down, self._until = True, time.monotonic() + grace_seconds
        if not grace_seconds:
            self.ending = self.ending or INTERRUPTED
        self.room.retry.end()

    def give_up(self, fault: UnusableError) -> None:
        """Ends the study as ``interrupt`` does, since its storage cannot be used."""
        self.fault, self.ending = fault, fault.rule

    def close(self, interrupted: bool) -> None:
        """Ends what still runs and writes how the study ended, and first whether the winner's model is damaged.

        Args:
            interrupted: Whether a signal came; what runs is then left as it is, to be resumed. Where no work was left,
                it came too late to matter.
        """
        if self.fault is not None:
            status = STATUS_OF.get(type(self.fault), "failed")
        elif interrupted and not self._dispatcher.finished:
            status = "interrupted"
        elif self.ending.startswith(STOPPED):  # what runs may be none of those: it goes on once the module is mended
            status = "failed"
        else:
            self.ending = "" if self.ending == INTERRUPTED else self.ending  # it had come to its end by itself
            self.endings.end_all(self.ending)
            status = "complete" if self.record.best is not None else "failed"
        if damaged := self._states.damaged_model(self.record.best):
            self._write("damaged", **damaged)
        self._write("closed", status=status, reason=self.ending)
        self._journal.sync(force=True)

    def _decide(self, trial: TrialRecord, reached: int, value: float) -> bool:
        target = self._budget.reaches_target(value) if self.record.has_all_folds(trial) else ""
        if target:
            self.ending = target
            self.endings.end(trial, "stopped", target)
            return False
        if trial.until:  # what comes of it is known
            if trial.epochs >= trial.until:
                self.endings.end(trial, "stopped", "trained again for its model")
            return trial.epochs < trial.until
        score = self.record.objective.score(value)
        self._searcher.on_report(trial.id, reached, score)
        verdict = self.by_hand.overrule(trial, self._scheduler.on_report(trial.id, reached, score))
        if verdict.decision is not Decision.CONTINUE:
            self.endings.carry_out(trial, verdict)
        return verdict.decision is Decision.CONTINUE

    def _end_unlogged(self, trial: TrialRecord, unlogged: Unlogged) -> None:
        if (fault := self.endings.end_unlogged(trial, unlogged)) is not None:
            self.fault, self.ending = fault, str(unlogged)

    def _write(self, type: str, **fields: Any) -> None:
        event = self._journal.append(type, **fields)
        self.record.apply(event)
        self.room.heard(event, self.record)
        self._listener(event, self.record)
