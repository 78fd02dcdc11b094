"""Decides what happens in a study and writes it down: which trial is next, what a report means, when it ends.

No Ray here: the adapter in ``study/tuner.py`` and the single training in ``modes/train.py`` both drive this object, and
everything that it decides follows from the events in its journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import finite
from raytune_nn.config.secrets import Secrets
from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.search.scheduler import Decision, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.causes import diagnose, shorten
from raytune_nn.store.checkpoints import States
from raytune_nn.store.journal import Event, Journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.budget import Budget
from raytune_nn.study.dispatcher import Dispatcher
from raytune_nn.study.failures import STOPPED, Failures
from raytune_nn.trial.task import TrialTask

Listener = Callable[[Event, StudyRecord], None]

ALONE_NEXT = "out of memory on a shared GPU: again with one to itself"
ALONE_AND_FAILED = "out of memory with a GPU to itself: a smaller data.batch_size or model would fit"


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
    ) -> None:
        self.record, self._journal, self._states = record, journal, states
        self._searcher, self._scheduler, self._budget = searcher, scheduler, budget
        self._failures = failures
        self._listener, self._fidelity, self._secrets = listener, fidelity, secrets
        self._dispatcher = Dispatcher(record, states, searcher, scheduler, num_trials, self._write)
        best = record.best  # a driver may have died between reaching the target and writing that the study ended
        self.ending = budget.reaches_target(best.value) if best and best.value is not None else ""
        self.fault: RaytuneError | None = None  # what makes the whole study wrong

    def next_task(self) -> TrialTask | None:
        """The next piece of work; None where there is none (at present, see ``finished``).

        First come trials that lost their slot, then paused ones that the scheduler wants to go on, then new ones.
        """
        if self.ending:
            return None
        return self._dispatcher.next()

    def is_current(self, task: TrialTask) -> bool:
        """Whether a piece of work is not over yet; what is still heard of an earlier one does not count."""
        return self._dispatcher.is_current(task)

    @property
    def finished(self) -> bool:
        """Whether no trial will come any more, not even a failed one again."""
        return bool(self.ending) or self._dispatcher.finished

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
            rule = "search.fidelity must be epoch, step or a metric that the module logs (self.log)"
            self._missing(state, self._fidelity.name, rule, report["metrics"], "search.fidelity=step")
            return False
        if report["checkpoint"] is not None:  # first: a trial that is stopped for its last report keeps its model
            self._write("checkpointed", trial=trial, epoch=report["epoch"], folder=report["checkpoint"])
        more = {key: report[key] for key in ("saved", "rung", "unsaved") if report.get(key)}
        content = {key: report[key] for key in ("epoch", "step", "seconds", "metrics")}
        self._write("reported", trial=trial, **content, **more)
        values = self.record.objective.values(report["metrics"])
        if values is None:
            self._missing_metric(state, report["metrics"])
            return False
        if not finite(values):
            what = self.record.objective.not_finite(values)
            self._end(state, "diverged", f"{what} at epoch {report['epoch']}")
            return False
        return self._decide(state, reached, values[0])

    def ended(
        self, trial: str, error: str = "", out_of_memory: bool = False, lost: bool = False, counts: bool = True
    ) -> None:
        """The trial's training is over: it came to its end, was stopped, or failed with this traceback.

        Args:
            out_of_memory: Whether it failed for the memory of a GPU, where trials share them.
            lost: Whether its process was: ``error`` then ends with the reason in one line.
            counts: Whether that is one of ``failures.max_retries``; if not, it is tried again in any case.
        """
        error = self._secrets.hide(error)
        state = self.record.trials[trial]
        if state.ended or state.state == "paused" or self.ending:
            return  # ``close`` says what becomes of trials that the study's end cut off
        if out_of_memory and not state.alone:  # not its own fault, so it costs no retry
            self._write("retried", trial=trial, error=shorten(error), reason=ALONE_NEXT, alone=True)
            self._dispatcher.retry(trial)
        elif out_of_memory:
            self._end(state, "failed", ALONE_AND_FAILED, error=shorten(error))
        elif error:
            self._failed(state, error, lost, counts)
        elif state.epochs == 0:
            self._missing_metric(state, {})
        else:
            self._end(state, "complete")

    def fall_back(self, trial: str, why: str, error: str) -> None:
        """The trial cannot go on from the state that its task named, which is nobody's fault and costs no retry.

        Args:
            why: What is wrong with the state.
            error: The traceback.
        """
        state = self.record.trials[trial]
        if not (state.ended or state.state == "paused" or self.ending):
            self._dispatcher.fall_back(trial, self._secrets.hide(why), self._secrets.hide(error))

    def carry_out(self, trial: TrialRecord, verdict: Verdict) -> None:
        """Stops or pauses a trial after its last report, as the scheduler has decided.

        A trial whose training came to its own end at this report is not paused: it is complete.
        """
        pauses = verdict.decision is Decision.PAUSE
        if pauses and not self._scheduler.pauses:
            raise TypeError(f"{type(self._scheduler).__name__} paused trial {trial.id}, but its `pauses` is false")
        if pauses and not trial.just_saved:
            self._end(trial, "complete")
            return
        what = {"decision": str(verdict.decision), "reason": verdict.reason}
        self._write("decided", trial=trial.id, epoch=trial.epochs, **what)
        self._dispatcher.end(trial.id)
        if pauses:
            self._searcher.on_pause(trial.id, trial.params)
        else:
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
        """Ends what still runs and writes how the study ended, and first whether the winner's model is damaged.

        Args:
            interrupted: Whether a signal came; what runs is then left as it is, to be resumed.
        """
        if self.fault is not None:
            status = "invalid" if isinstance(self.fault, ConfigError) else "failed"
        elif interrupted:
            status = "interrupted"
        elif self.ending.startswith(STOPPED):  # what runs may be none of those: it goes on once the module is mended
            status = "failed"
        else:
            for trial in self.record.trials.values():
                if trial.state == "paused":
                    self._end(trial, "stopped", trial.reason)
                elif not trial.ended:
                    cut_off = self.ending or trial.value is not None
                    self._end(trial, "stopped" if cut_off else "failed", self.ending or "never came to its end")
            status = "complete" if self.record.best is not None else "failed"
        damaged = self._states.damaged_model(self.record.best)
        if damaged:
            self._write("damaged", **damaged)
        self._write("closed", status=status, reason=self.ending)
        self._journal.sync(force=True)

    def _decide(self, trial: TrialRecord, reached: int, value: float) -> bool:
        target = self._budget.reaches_target(value) if self.record.has_all_folds(trial) else ""
        if target:
            self.ending = target
            self._end(trial, "stopped", target)
            return False
        score = self.record.objective.score(value)
        self._searcher.on_report(trial.id, reached, score)
        verdict = self._scheduler.on_report(trial.id, reached, score)
        if verdict.decision is Decision.CONTINUE:
            self.tick()  # a single training has nobody else to look at the clock
            return not self.ending
        self.carry_out(trial, verdict)
        return False

    def _failed(self, trial: TrialRecord, error: str, lost: bool, counts: bool) -> None:
        diagnosis = diagnose(error)
        why = {"error": shorten(error), **diagnosis._asdict()}
        if not counts or self._failures.try_again(trial, lost):
            self._write("retried", trial=trial.id, **why, **({} if counts else {"counts": False}))
            self._dispatcher.retry(trial.id)
            return
        self._end(trial, "failed", **why)
        self.ending = self._failures.end_study(trial, diagnosis)

    def _end(self, trial: TrialRecord, state: str, reason: str = "", **more: Any) -> None:
        self._write("ended", trial=trial.id, state=state, reason=reason, **more)
        self._dispatcher.end(trial.id)
        self._scheduler.on_end(trial.id, state == "complete")
        self._searcher.on_end(trial.id, trial.params, self.record.final_score(trial), state)

    def _missing_metric(self, trial: TrialRecord, metrics: Mapping[str, float]) -> None:
        objective = self.record.objective
        metric = next(goal.metric for goal in objective.goals if goal.metric not in metrics)
        rule = "objective.metric must be logged by the module (self.log) in training or validation"
        self._missing(trial, metric, rule, metrics, objective.instead(metric, sorted(metrics)))

    def _missing(self, trial: TrialRecord, name: str, rule: str, metrics: Mapping[str, float], fix: str) -> None:
        """Where no trial has logged it, the study as a whole is wrong; what others have found is not thrown away."""
        if any(other.value is not None for other in self.record.trials.values()):
            self._end(trial, "failed", f"{name} is not logged")
            return
        known = ", ".join(sorted(metrics)) or "nothing at all"
        self.fault = ConfigError(rule, f"{name}; the module logs {known}", fix)
        self.ending = f"{name} is not logged"

    def _write(self, type: str, **fields: Any) -> None:
        event = self._journal.append(type, **fields)
        self.record.apply(event)
        self._listener(event, self.record)
