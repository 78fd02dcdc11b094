"""Reads a journal into points: folds its events into a record of its own, and notes what that was after each report."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from raytune_nn.config.fidelity import EPOCHS, read_fidelity
from raytune_nn.config.objective import finite
from raytune_nn.report.figures.points import Copy, Mark, Points, Stage
from raytune_nn.report.once import once_a_study
from raytune_nn.report.study import Study
from raytune_nn.space.values import identity
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

_RUNG = re.compile(r"\brung (\d+)")


@once_a_study
def points(study: Study) -> Points:
    """Reads the events of a study once, whoever asks how often."""
    reader = _Reader(study)
    for event in study.events:
        reader.read(event)
    return reader.points()


class _Reader:
    """Folds the events into a record of its own, and notes what the record was after each report."""

    def __init__(self, study: Study) -> None:
        self.record = StudyRecord(study.record.objective)
        search = None if study.settings is None else study.settings.search
        self._fidelity = EPOCHS if search is None else read_fidelity(search.fidelity)
        self._places: dict[str, int] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._values: list[tuple[float, ...]] = []
        self._row_of: dict[int, int] = {}  # by the identity of a report's metrics
        self._marks: list[Mark] = []
        self._pauses: dict[int, int] = {}  # by trial: the mark of the pause that it is in
        self._last: dict[int, int] = {}  # by trial: epoch of its last report
        self._begins: set[int] = set()  # trials whose next report does not go on from their last
        self._stages: list[Stage] = []
        self._now: dict[int, tuple[int, dict[str, Any]]] = {}  # by trial: the stage that it is in
        self._copies: list[Copy] = []
        self._resumptions: list[int] = []
        self._changed: set[str] = set()
        self._rungs: set[int] = set()

    def read(self, event: Event) -> None:
        kind, id = event["type"], event.get("trial")
        params = self._params_before(event) if kind == "resumed" else ({}, {})
        self.record.apply(event)
        if id is None:
            if kind == "opened" and self.record.study is not event:
                self._resumptions.append(len(self._rows))
            return
        place = self._places.setdefault(id, len(self._places))
        trial = self.record.trials[id]
        if kind == "reported":
            self._reported(place, trial, event)
        elif kind == "resumed":
            self._resumed(place, trial, event, *params)
        elif kind in ("suggested", "started"):
            self._started(place, trial, event.get("epoch", 0))
        elif kind == "decided" and event["decision"] == "pause":
            self._rungs.update(map(int, _RUNG.findall(event["reason"])))
            self._pauses[place] = len(self._marks)
            self._mark("paused", place, trial, event["reason"])
        elif kind == "retried":
            self._mark("tried again", place, trial, event.get("reason", ""))
        elif kind == "fell_back":
            self._fell_back(place, trial, event)
        elif kind == "ended":
            self._ended(place, trial, event)

    def points(self) -> Points:
        """What was read so far."""
        for place in list(self._now):
            self._close_stage(place)
        trials = list(self.record.trials.values())
        table = np.array(self._rows, np.float64).reshape(-1, 8)
        return Points(
            record=self.record,
            trials=trials,
            trial=table[:, 0].astype(np.int32),
            epoch=table[:, 1].astype(np.int32),
            reached=table[:, 2],
            values=np.array(self._values, np.float64).reshape(-1, len(self.record.objective.goals)),
            begins=table[:, 3].astype(np.bool_),
            wall=table[:, 4],
            epochs=table[:, 5].astype(np.int64),
            busy=table[:, 6],
            alone=table[:, 7],
            marks=self._marks,
            stages=self._stages,
            copies=self._copies,
            changed=self._changed,
            resumptions=self._resumptions,
            rungs=sorted(self._rungs),
            value_row=np.array([self._row_of.get(id(trial.metrics), -1) for trial in trials], np.int64),
        )

    def _mark(self, kind: str, place: int, trial: TrialRecord, reason: str) -> None:
        self._marks.append(Mark(kind, place, trial.epochs, len(self._rows), reason))

    def _reported(self, place: int, trial: TrialRecord, event: Event) -> None:
        record, metrics = self.record, event["metrics"]
        self._last[place] = event["epoch"]
        self._pauses.pop(place, None)
        values = record.objective.values(metrics)
        reached = self._fidelity.reached(event)
        if values is None:
            return
        self._row_of[id(metrics)] = len(self._rows)
        begins = place in self._begins
        self._begins.discard(place)
        counters = (record.wall_seconds, record.epochs, record.busy_seconds, record.alone_seconds)
        self._rows.append((place, event["epoch"], np.nan if reached is None else reached, begins, *counters))
        self._values.append(values)
        if not finite(values):
            self._mark("diverged", place, trial, record.objective.not_finite(values))

    def _started(self, place: int, trial: TrialRecord, epoch: int) -> None:
        if place not in self._last or self._last[place] != epoch:
            self._begins.add(place)
        if epoch == 0:
            self._close_stage(place)
            self._now[place] = (0, trial.params)

    def _params_before(self, event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of a trial that goes on, and of the one whose state it takes: another one's, or its own."""
        trials = self.record.trials
        return trials[event["trial"]].params, trials[event["source"] or event["trial"]].params

    def _resumed(
        self, place: int, trial: TrialRecord, event: Event, before: dict[str, Any], origin: dict[str, Any]
    ) -> None:
        epoch = 0 if trial.saved is None else trial.saved.epochs
        left = self._last.get(place, 0)
        kind = "promoted" if self._rungs else "went on"
        if event["params"] is not None:
            kind = "changed"
            paths = origin.keys() & event["params"].keys()
            self._changed |= {path for path in paths if identity(origin[path]) != identity(event["params"][path])}
            self._close_stage(place)
            self._now[place] = (epoch, event["params"])
        if event["source"] is not None:
            kind = "copied"
            self._begins.add(place)
            params = trial.params if event["params"] is None else event["params"]
            source = self._places[event["source"]]
            self._copies.append(Copy(place, source, epoch, left, len(self._rows), before, origin, params))
        self._turn(place, kind)

    def _turn(self, place: int, kind: str, reason: str | None = None) -> bool:
        """What came of a trial's pause; returns whether it was in one."""
        number = self._pauses.pop(place, None)
        if number is None:
            return False
        mark = self._marks[number]
        self._marks[number] = replace(mark, kind=kind, reason=mark.reason if reason is None else reason)
        return True

    def _fell_back(self, place: int, trial: TrialRecord, event: Event) -> None:
        """A copy that cannot be used was none."""
        self._mark("fell back", place, trial, event["why"])
        self._begins.add(place)
        copies = [copy for copy in self._copies if copy.trial == place]
        if copies and event["params"] is not None:
            self._copies.remove(copies[-1])
            self._now[place] = (event["epoch"], event["params"])

    def _ended(self, place: int, trial: TrialRecord, event: Event) -> None:
        state, reason = event["state"], event.get("reason", "")
        if state == "stopped":
            self._rungs.update(map(int, _RUNG.findall(reason)))
        last = self._marks[-1] if self._marks else None
        if state == "diverged" and last is not None and last.kind == state and last.trial == place:
            self._marks[-1] = replace(last, reason=reason)
        elif not self._turn(place, state, reason):
            self._mark(state, place, trial, reason)

    def _close_stage(self, place: int) -> None:
        if place in self._now:
            (begin, params), end = self._now.pop(place), self._last.get(place, 0)
            if end > begin:
                self._stages.append(Stage(place, begin, end, params))
