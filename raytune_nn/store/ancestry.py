"""What is behind a trial's weights: the pieces of work, of the trial and of those that it copied, in their order.

A trial that paused, or whose process or driver died, goes on in another piece from its last state; a copy in a
population goes on from that of another trial. Reports after such a state that were made again, or given up, are behind
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord


@dataclass(frozen=True)
class Part:
    """A piece of work as far as it is behind the weights."""

    trial: str  # whose it was
    params: dict[str, Any]
    reports: tuple[Event, ...]  # not empty; the state that the next part begins with is that of the last


@dataclass(frozen=True)
class Lineage:
    """How a trial came to its weights, from the beginning of a training."""

    parts: tuple[Part, ...]
    value: int | None  # which of all these reports is the trial's value, from 0; None: it has none

    @property
    def reports(self) -> list[Event]:
        """Of all parts."""
        return [report for part in self.parts for report in part.reports]

    @property
    def to_value(self) -> tuple[Part, ...]:
        """The parts behind the value, the last as far as its report; none where there is no value."""
        found, left = [], 0 if self.value is None else self.value + 1
        for part in self.parts:
            if left > 0:
                found.append(replace(part, reports=part.reports[:left]))
            left -= len(part.reports)
        return tuple(found)


def read_lineage(events: Iterable[Event], objective: Objective, trial: str) -> Lineage:
    """The lineage of a trial's value, with the reports that followed; without a value, of its last weights.

    Where a member of a population copied another one after its best report, what came after that is left out.

    Args:
        events: Of a study's journal, with this trial in it.
    """
    lines = _Lines(objective)
    for event in events:
        lines.apply(event)
    line = lines.of[trial]
    last, valued = _parts(line.now), _parts(line.value)
    if line.value is None:
        return Lineage(last, None)
    number = sum(len(part.reports) for part in valued) - 1
    to_value = Lineage(valued, number)
    goes_on = any(report is to_value.reports[-1] for report in Lineage(last, None).reports)
    return Lineage(last, number) if goes_on else to_value


@dataclass(eq=False)
class _Piece:
    trial: str
    params: dict[str, Any]
    begins: _Point | None  # None: at the beginning
    reports: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class _Point:
    """After so many reports of a piece."""

    piece: _Piece
    count: int


@dataclass(frozen=True)
class _State:
    """What was known when a state was saved."""

    at: _Point
    value: _Point | None


@dataclass
class _Line:
    """Of one trial."""

    params: dict[str, Any]
    piece: _Piece | None = None
    value: _Point | None = None  # where it reported its value
    saved: _State | None = None
    before: _State | None = None  # the state before that one

    @property
    def now(self) -> _Point | None:
        return None if self.piece is None else _Point(self.piece, len(self.piece.reports))


class _Lines:
    """Told the events of a journal in their order."""

    def __init__(self, objective: Objective) -> None:
        self._record = StudyRecord(objective)
        self.of: dict[str, _Line] = {}

    def apply(self, event: Event) -> None:
        self._record.apply(event)
        if event["type"] == "suggested":
            self.of[event["trial"]] = _Line(event["params"])
        handler = getattr(self, f"_on_{event['type']}", None)
        if handler is not None:
            handler(self.of[event["trial"]], event)

    def _on_started(self, line: _Line, event: Event) -> None:
        state = line.saved if event.get("epoch") else None
        line.piece = _Piece(event["trial"], line.params, None if state is None else state.at)
        line.value = None if state is None else state.value

    def _on_reported(self, line: _Line, event: Event) -> None:
        if line.piece is None:
            return
        line.piece.reports.append(event)
        if self._record.trials[event["trial"]].metrics is event["metrics"]:
            line.value = line.now
        if event.get("saved") and line.now is not None:
            line.before, line.saved = line.saved, _State(line.now, line.value)

    def _on_resumed(self, line: _Line, event: Event) -> None:
        if event["params"] is not None:
            line.params = event["params"]
        source = None if event["source"] is None else self.of[event["source"]].saved
        if source is not None and line.saved is not None:
            line.before, line.saved = line.saved, _State(source.at, line.saved.value)

    def _on_fell_back(self, line: _Line, event: Event) -> None:
        line.saved, line.before = line.before, None
        if event["params"] is not None:
            line.params = event["params"]


def _parts(point: _Point | None) -> tuple[Part, ...]:
    parts = []
    while point is not None:
        piece = point.piece
        if point.count:  # else it was ended before its first report
            parts.append(Part(piece.trial, piece.params, tuple(piece.reports[: point.count])))
        point = piece.begins
    return tuple(reversed(parts))
