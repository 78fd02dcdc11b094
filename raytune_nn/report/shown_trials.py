"""The few trials that a running study shows, kept up event by event: no look at all trials for any of them."""

from __future__ import annotations

from collections.abc import Iterable

from raytune_nn.report.sparkline import Curve
from raytune_nn.store.journal import Event
from raytune_nn.store.record import BY_HAND, StudyRecord
from raytune_nn.store.trial import TrialRecord

SHOWN_BEST = 5
_LEFT = ("ended", "retried", "fell_back")  # a slot, as a trial that pauses does
_VERBS = {"stop": "stopped", "pause": "paused"}  # where a scheduler gives no reason


class ShownTrials:
    """What runs, what is best, and how they came there.

    Attributes:
        running: By id, in the order in which they began.
        best: The best few, best first; of several metrics the first few of the Pareto front.
        ended_epochs: Trained by those that have ended, together.
        decision: The last one of the scheduler, in words.
    """

    def __init__(self) -> None:
        self.running: dict[str, TrialRecord] = {}
        self.best: list[TrialRecord] = []
        self.ended_epochs = 0
        self.decision = ""
        self._curves: dict[str, Curve] = {}  # of trials that have not ended, and of the best

    def opened(self, record: StudyRecord) -> None:
        """What earlier drivers left; the curves of their trials begin here."""
        self.best = _leaders(record.trials.values(), record)
        self.ended_epochs = sum(trial.epochs for trial in record.trials.values() if trial.ended and not trial.cached)

    def heard(self, event: Event, trial: TrialRecord, record: StudyRecord) -> None:
        """Takes in an event of a trial, which the record has taken in already."""
        kind = event["type"]
        if kind == "reported":
            values = record.objective.values(event["metrics"])
            if values is not None:
                self._curves.setdefault(trial.id, Curve()).add(event["epoch"], values[0])
            if any(other is trial for other in self.best):  # it paused, went on, and has become better
                self.best = _leaders(self.best, record)
        elif kind == "started":
            self.running[trial.id] = trial
        elif kind == "resumed" and event["source"] is not None:
            self._curves[trial.id] = self._curves.get(event["source"], Curve()).copy()
        if kind in _LEFT or trial.state == "paused":
            self.running.pop(trial.id, None)
            before = self.best
            self.best = _leaders((*(other for other in before if other is not trial), trial), record)
            self.ended_epochs += trial.epochs if kind == "ended" and not trial.cached else 0
            for other in (*before, trial):
                if other.ended and other not in self.best:
                    self._curves.pop(other.id, None)
        if kind == "decided" or (kind == "resumed" and event.get("reason")):
            words = event["reason"] if event["reason"] != BY_HAND else f"stopped {BY_HAND}"
            self.decision = f"trial {trial.id} {words or _VERBS[event['decision']]}"

    def curve(self, trial: TrialRecord) -> list[float]:
        """The leading metric of each report, as far as this driver has heard them."""
        curve = self._curves.get(trial.id)
        return [] if curve is None else curve.values


def _leaders(trials: Iterable[TrialRecord], record: StudyRecord) -> list[TrialRecord]:
    if record.objective.further:
        return record.front[:SHOWN_BEST]
    leading = [trial for trial in trials if _leads(trial, record)]
    return sorted(leading, key=lambda trial: -record.objective.score(trial.value or 0.0))[:SHOWN_BEST]


def _leads(trial: TrialRecord, record: StudyRecord) -> bool:
    """Whether a trial may be among the best shown: one that paused counts, and goes on to do so when it runs."""
    if trial.ended:
        return record.may_win(trial)
    return trial.saves > 0 and trial.value is not None and record.has_all_folds(trial)
