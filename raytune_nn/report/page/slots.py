"""Who trained when: the pieces of work of a study, by the slot that did them.

A piece is what a slot does at a trial without a break: from its start to its end, its pause, or the loss of its
process. Time is the study's own, in seconds: it stands still where no driver ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from raytune_nn.store.journal import Event

RUNS = "running"  # how a piece stands that is not over yet
CUT_OFF = "cut off"  # its driver was ended before it was over


@dataclass(frozen=True)
class Piece:
    """One slot's work at one trial, without a break."""

    trial: str
    slot: int
    start: float  # seconds of the study's time
    end: float
    state: str  # what came of it: a state of trials, ``tried again`` or ``cut off``
    first_epoch: int  # trained before
    last_epoch: int  # trained by its end

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass
class _Begun:
    trial: str
    slot: int
    start: float
    epochs: int
    last: int


def pieces_of(events: Sequence[Event]) -> list[Piece]:
    """All pieces of a study's journal, in the order in which they ended."""
    begun: dict[str, _Begun] = {}
    pieces: list[Piece] = []
    now = 0.0

    def ends(id: str, state: str) -> None:
        if (piece := begun.pop(id, None)) is not None:
            pieces.append(Piece(id, piece.slot, piece.start, now, state, piece.epochs, piece.last))

    for event, now in _timed(events):
        kind, id = event["type"], event.get("trial", "")
        if kind == "opened":
            for cut in list(begun):
                ends(cut, CUT_OFF)
        elif kind == "started":
            epoch = event.get("epoch", 0)
            begun[id] = _Begun(id, event.get("slot", 0), now, epoch, epoch)
        elif kind == "reported" and id in begun:
            begun[id].last = event["epoch"]
        elif state := _end(event):
            ends(id, state)
    runs = bool(events) and events[-1]["type"] not in ("closed", "confirmed")
    for left in list(begun):
        ends(left, RUNS if runs else CUT_OFF)
    return pieces


def sessions(events: Sequence[Event]) -> list[float]:
    """When each driver but the first began, in seconds of the study's time."""
    return [now for event, now in _timed(events) if event["type"] == "opened"][1:]


def _timed(events: Iterable[Event]) -> Iterator[tuple[Event, float]]:
    """Each event with its second of the study's time."""
    earlier = now = started = 0.0
    for event in events:
        if event["type"] == "confirmed":  # is no part of it
            continue
        if event["type"] == "opened":
            earlier, started = now, event["time"]
        now = max(now, earlier + event["time"] - started) if started else 0.0
        yield event, now


def _end(event: Event) -> str:
    """What came of the trial's piece of work, where this event ends it; empty where it does not."""
    kind = event["type"]
    if kind == "ended":
        return str(event["state"])
    if kind == "decided" and event["decision"] == "pause":
        return "paused"
    return "tried again" if kind in ("retried", "fell_back") else ""
