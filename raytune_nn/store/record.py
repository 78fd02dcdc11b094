"""The record of a study: its journal folded into one small object.

The driver folds each event as it writes it; resume, results and report fold the same events from disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from raytune_nn.config.objective import Objective, Values, finite
from raytune_nn.store.best import BestTrials
from raytune_nn.store.causes import Causes, Diagnosis
from raytune_nn.store.journal import Event
from raytune_nn.store.stagnation import Stagnation
from raytune_nn.store.trial import Saved, TrialRecord

BY_HAND = "by hand"  # why somebody's trial was stopped


class StudyRecord:
    """All trials of a study, the best of them, and how long it took.

    Args:
        keep_best: Trials whose models stay, where there is one objective.
    """

    def __init__(self, objective: Objective, keep_best: int = 1) -> None:
        self.objective = objective
        self.trials: dict[str, TrialRecord] = {}
        self.study: Event = {}  # the first event: configuration, space, versions, command
        self.status = "running"
        self.reason = ""  # why no trial begins now; at the end, why it came before the last trial
        self.wall_seconds = 0.0
        self.counts: Counter[str] = Counter()  # trials by state
        self.epochs = 0  # trained, all trials
        self.busy_seconds = 0.0  # sum of the trials' seconds
        self.alone_seconds = 0.0  # of them with a GPU that others would have shared
        self._session_started = 0.0
        self._earlier_wall = 0.0
        self.kept = BestTrials(objective, keep_best)
        self.stagnation = Stagnation(objective)
        self.causes = Causes()  # of failures
        self.damages: list[Event] = []  # files of checkpoints that could not be used
        self.confirmed: Event = {}  # what mode=confirm came to, the last time

    @classmethod
    def fold(cls, objective: Objective, events: Iterable[Event], keep_best: int = 1) -> StudyRecord:
        """The record after all of these events."""
        record = cls(objective, keep_best)
        for event in events:
            record.apply(event)
        return record

    @property
    def best(self) -> TrialRecord | None:
        """The best trial of those that may win, by the first metric; among equals the one that ended first."""
        return self.front[0] if self.front else None

    @property
    def front(self) -> list[TrialRecord]:
        """The trials that no other one dominates, best first by the first metric; of one metric, the best trial."""
        return self.kept.front

    def values(self, trial: TrialRecord) -> Values | None:
        """The trial's value by each metric, all of one report; None where it has none."""
        return self.objective.values(trial.metrics)

    def may_win(self, trial: TrialRecord) -> bool:
        """Whether a trial may be the best: where the objective has folds, the mean must be that of all of them."""
        return trial.successful and self.has_all_folds(trial)

    def has_all_folds(self, trial: TrialRecord) -> bool:
        """Whether no fold is missing in the trial's value."""
        return self.objective.folds is None or trial.folds >= self.objective.folds

    def std(self, trial: TrialRecord) -> float | None:
        """Standard deviation of the objective over the trial's folds (sample: n - 1); None where fewer than two are."""
        return trial.metrics.get(self.objective.std_name) if self.objective.folds is not None else None

    def score(self, metrics: Mapping[str, float]) -> float | None:
        """The leading metric in a report, higher for better; None where any is missing or not finite."""
        values = self.objective.values(metrics)
        return self.objective.score(values[0]) if finite(values) else None

    def final_score(self, trial: TrialRecord) -> float | Values | None:
        """An ended trial's value, higher for better, by each metric if several; None where it failed or diverged."""
        values = self.values(trial)
        if not trial.successful or values is None:
            return None
        scores = self.objective.scores(values)
        return scores if self.objective.further else scores[0]

    def wall_until(self, now: float) -> float:
        """Seconds that drivers have run this study: earlier ones until their last event, the latest until now."""
        return self._earlier_wall + now - self._session_started

    def gpu_hours(self, gpus: float) -> float:
        """Hours times GPUs that trials have held so far.

        Args:
            gpus: That a trial holds; one that has a GPU to itself instead holds a whole one.
        """
        return ((self.busy_seconds - self.alone_seconds) * gpus + self.alone_seconds) / 3600

    def apply(self, event: Event) -> None:
        """Takes one event in; its time grows with the front, not with the number of trials."""
        handler = getattr(self, f"_on_{event['type']}", None)
        if handler is not None:
            handler(event)
        if self._session_started and event["type"] != "confirmed":  # long after the study's own time
            self.wall_seconds = self.wall_until(event["time"])

    def _on_opened(self, event: Event) -> None:
        self.study = self.study or event
        self.status, self.reason = "running", ""
        self._earlier_wall, self._session_started = self.wall_seconds, event["time"]
        for trial in self.trials.values():
            if not trial.ended and trial.state != "paused":  # its driver died; it is to be started again
                self._move(trial, "waiting")

    def _on_suggested(self, event: Event) -> None:
        trial = TrialRecord(event["trial"], event["params"], identity=event.get("identity", ""))
        self.trials[trial.id] = trial
        self.counts[trial.state] += 1

    def _on_started(self, event: Event) -> None:
        trial = self.trials[event["trial"]]
        self._move(trial, "running")
        trial._earlier_seconds, trial.cached = trial.seconds, ""
        goes_on = event.get("epoch", 0) > 0
        begin = trial.saved if goes_on and trial.saved is not None else Saved(0, 0, None, None, {}, {})
        trial.epochs, trial.folds = begin.epochs, begin.folds
        trial.value, trial.value_epoch, trial.metrics = begin.value, begin.value_epoch, begin.metrics
        trial._params_then = begin.params

    def _on_reported(self, event: Event) -> None:
        trial, metrics = self.trials[event["trial"]], event["metrics"]
        cached = event.get("cached")
        self.epochs += 0 if cached else max(0, event["epoch"] - trial.epochs)
        trial.partial = cached == "more"
        trial.epochs = max(trial.epochs, event["epoch"])
        trial.folds += self.objective.folds is not None
        seconds = trial._earlier_seconds + event["seconds"]
        self.busy_seconds += seconds - trial.seconds
        self.alone_seconds += seconds - trial.seconds if trial.alone else 0.0
        trial.seconds = seconds
        values = self.objective.values(metrics)
        if values is not None and self.objective.replaces(values, self.values(trial)):
            trial.value, trial.value_epoch, trial.metrics = values[0], event["epoch"], metrics
            trial._params_then = trial.params
        if event.get("saved"):
            trial.saves, trial.before = trial.saves + 1, trial.saved
            of_value = (trial.value, trial.value_epoch, trial.metrics, trial._params_then)
            trial.saved = Saved(trial.epochs, trial.folds, *of_value, rung=event.get("rung"))

    def _on_cached(self, event: Event) -> None:
        self.trials[event["trial"]].cached = f"{event['study']}/{event['source']}"

    def _on_reopened(self, event: Event) -> None:
        """It is trained after all, and until then others may be the best."""
        trial = self.trials[event["trial"]]
        trial.cached, trial.until = "", trial.epochs
        self._move(trial, "waiting")
        may_win = (other for other in self.trials.values() if self.may_win(other))
        self.kept = self.kept.chosen_from((other, self.values(other)) for other in may_win)

    def _on_checkpointed(self, event: Event) -> None:
        trial = self.trials[event["trial"]]
        trial.checkpoint, trial.model_damage = event["folder"], ""

    def _on_decided(self, event: Event) -> None:
        trial = self.trials[event["trial"]]
        if event["decision"] == "pause":
            trial.reason = event["reason"]
            self._move(trial, "paused")
            self.stagnation.left(trial.id, self.values(trial) if self.has_all_folds(trial) else None)

    def _on_resumed(self, event: Event) -> None:
        trial = self.trials[event["trial"]]
        trial.reason = ""
        if event["params"] is not None:
            trial.params = event["params"]
        source = self.trials[event["source"]].saved if event["source"] is not None else None
        if source is not None and trial.saved is not None:
            trial.saves, trial.before = trial.saves + 1, trial.saved
            trial.saved = replace(trial.saved, epochs=source.epochs, rung=None)  # that is the other one's
        self._move(trial, "waiting")

    def _on_fell_back(self, event: Event) -> None:
        """Its last state cannot be used: the one before is the last one now, and what it knew counts once it starts."""
        trial = self.trials[event["trial"]]
        trial.saved, trial.before = trial.before, None
        trial.saves = trial.saves - 1 if trial.saved is not None else 0
        if event["params"] is not None:
            trial.params = event["params"]
        self.damages.append(event)
        self._move(trial, "waiting")

    def _on_damaged(self, event: Event) -> None:
        self.trials[event["trial"]].model_damage = event["why"]
        self.damages.append(event)

    def _on_retried(self, event: Event) -> None:
        trial = self.trials[event["trial"]]
        alone = event.get("alone", False)
        trial.alone, trial.retries = trial.alone or alone, trial.retries + (not alone and event.get("counts", True))
        trial.reason = event.get("reason", "")
        if not alone:
            self.causes.retried(trial.id, Diagnosis.of(event), event["error"])
        self._move(trial, "waiting")

    def _on_ended(self, event: Event) -> None:
        trial = self.trials[event["trial"]]
        trial.reason = event.get("reason", "")
        self._move(trial, event["state"])
        if trial.state == "failed":
            self.causes.failed(trial.id, Diagnosis.of(event), event.get("error", ""))
        if trial.state == "diverged":
            trial.value, trial.value_epoch, trial.metrics = None, None, {}
        values = self.values(trial) if self.may_win(trial) else None
        if values is not None:
            self.kept.add(trial, values)
        if trial.state != "failed":
            self.stagnation.left(trial.id, values)

    def _on_stop_asked(self, event: Event) -> None:
        if "trial" in event:  # else the whole study was meant
            self.trials[event["trial"]].stop_asked = True

    def _on_held(self, event: Event) -> None:
        self.reason = event["reason"]

    def _on_freed(self, event: Event) -> None:
        self.reason = ""

    def _on_confirmed(self, event: Event) -> None:
        self.confirmed = event

    def _on_closed(self, event: Event) -> None:
        self.status, self.reason = event["status"], event.get("reason", "")

    def _move(self, trial: TrialRecord, state: str) -> None:
        self.counts[trial.state] -= 1
        self.counts[state] += 1
        trial.state = state
