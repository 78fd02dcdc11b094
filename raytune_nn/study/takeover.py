"""Takes trials over instead of training them: their reports come from an earlier study's journal, as if from a slot.

Searcher and scheduler are told them in the order in which the earlier study was, so that they decide as they did there.
A trial is taken over as far as it was trained. Where the scheduler wants more of it, it is trained from its beginning.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from itertools import islice
from typing import Any, Protocol

from raytune_nn.store.checkpoints import MODEL, STATES
from raytune_nn.store.files import IN_FOLDER
from raytune_nn.store.journal import read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.seal import damage
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.cache import Cache
from raytune_nn.study.dispatcher import Dispatcher
from raytune_nn.study.earlier import EarlierTrial, Told, read_trials
from raytune_nn.trial.task import TrialTask

MOST_TWINS = 8  # trials that wait for the same training at once; more are not suggested meanwhile


class Slot(Protocol):
    """Who is told what a slot tells."""

    ending: str

    def reported(self, trial: str, report: Mapping[str, Any]) -> bool:
        """Whether the trial goes on."""

    def ended(self, trial: str) -> None:
        """Its training came to its end."""


@dataclass(eq=False)
class _Piece:
    """A piece of work that is not trained."""

    task: TrialTask
    earlier: EarlierTrial
    left: deque[Told]


class Takeover:
    """Stands between the dispatcher and the slots.

    Args:
        write: Writes an event.
    """

    def __init__(
        self,
        slot: Slot,
        dispatcher: Dispatcher,
        record: StudyRecord,
        cache: Cache,
        write: Callable[..., None],
    ) -> None:
        self._slot, self._dispatcher, self._record, self._cache = slot, dispatcher, record, cache
        self._folder, self._write = cache.folder, write
        self._handed = len(record.trials)
        self._pieces: list[_Piece] = []
        self._twins: list[TrialTask] = []  # that wait until another trial of the same identity ended or paused
        self._own: dict[str, list[str]] = {}  # identity -> trials of this study
        self._known = 0  # trials that are in there
        self._read: dict[str, EarlierTrial] = {}  # trials of this study that ended

    def next(self) -> TrialTask | None:
        """The next piece of work that has to be trained; None where there is none at present."""
        while not self._slot.ending:
            due = min(self._pieces, key=_turn, default=None)
            task = self._ready_twin()
            if task is None and (due is None or _turn(due)[0] > self._handed):
                task = self._hand_out()
            if task is not None:
                if not self._takes(task):
                    return task
            elif due is None:
                return None
            elif self._tell(due):
                return due.task
        return None

    @property
    def finished(self) -> bool:
        """Whether no piece of work will come any more."""
        return self._dispatcher.finished and self._without_model() is None

    def _hand_out(self) -> TrialTask | None:
        if len(self._twins) >= MOST_TWINS:
            return None
        task = self._dispatcher.next()
        if task is None and self._dispatcher.finished and (winner := self._without_model()) is not None:
            self._write("reopened", trial=winner.id, reason="the best, and its model is gone where it was taken over")
            self._dispatcher.retry(winner.id)
            task = self._dispatcher.next()
        self._handed += task is not None
        return task

    def _without_model(self) -> TrialRecord | None:
        """The winner, where it was taken over and its model was not there any more: it is trained after all."""
        best = self._record.best
        return best if best is not None and best.cached and best.checkpoint is None else None

    def _takes(self, task: TrialTask) -> bool:
        """Whether a piece of work need not be trained now."""
        trial = self._record.trials[task.id]
        if not trial.identity or trial.seconds or trial.saved is not None or trial.until:
            return False
        found = [*self._cache.find(trial.identity), *self._own_ended(trial)]
        for earlier in found:
            left = deque(told for told in earlier.told if told.report is None or told.report["epoch"] > trial.epochs)
            if left:
                self._write("cached", trial=trial.id, study=earlier.folder.place, source=earlier.id)
                self._pieces.append(_Piece(task, earlier, left))
                return True
        if self._twin_at_work(trial):
            self._twins.append(task)
            return True
        return False

    def _ready_twin(self) -> TrialTask | None:
        """One that need not wait any longer."""
        for task in self._twins:
            if not self._twin_at_work(self._record.trials[task.id]):
                self._twins.remove(task)
                return task
        return None

    def _twin_at_work(self, trial: TrialRecord) -> bool:
        """Whether an earlier trial of this study is being trained that would give the same."""
        earlier = (self._record.trials[id] for id in self._same(trial) if int(id) < int(trial.id))
        return any(not other.ended and other.state != "paused" for other in earlier)

    def _same(self, trial: TrialRecord) -> list[str]:
        """The trials of this study of its identity, itself among them."""
        for other in islice(self._record.trials.values(), self._known, None):
            self._own.setdefault(other.identity, []).append(other.id)
            self._known += 1
        return self._own[trial.identity]

    def _own_ended(self, trial: TrialRecord) -> Iterator[EarlierTrial]:
        """Trials of this study of its identity that ended or paused."""
        for id in self._same(trial):
            other = self._record.trials[id]
            if id == trial.id or not (other.ended or other.state == "paused"):
                continue
            if id not in self._read or not other.ended:
                events, wanted = list(read_journal(self._folder.journal)), partial(_is_trial, id)
                read = read_trials(self._folder, self._record.objective, events, wanted)
                self._read |= {earlier.id: earlier for earlier in read}
            if id in self._read:  # else it failed
                yield self._read[id]

    def _tell(self, piece: _Piece) -> bool:
        """Tells the next report of a piece; returns whether it has to be trained now, since there is no further one."""
        told, trial = piece.left.popleft(), piece.task.id
        if told.report is None:
            self._pieces.remove(piece)
            self._slot.ended(trial)
            return False
        ends = bool(piece.left) and piece.left[0].report is None
        report = {**told.report, "cached": "last" if ends else "more", "checkpoint": self._model(piece, told.report)}
        if not self._slot.reported(trial, report):
            self._pieces.remove(piece)
            return False
        if not piece.left:
            self._pieces.remove(piece)
            return True
        return False

    def _model(self, piece: _Piece, report: dict[str, Any]) -> str | None:
        """Copies the model of a report that may be the winner's; None where there is none."""
        values = self._record.objective.values(report["metrics"])
        if report["epoch"] != piece.earlier.model_epoch or values is None:
            return None
        if not self._record.objective.joins(values, self._record.kept.bar):
            return None
        source, target = piece.earlier.folder, self._folder.checkpoints / piece.task.id
        place = source.checkpoints / piece.earlier.id
        try:
            source.files.fetch_folder(place, STATES)
            if damage(place / MODEL):
                return None
            for name in IN_FOLDER.names(place):
                if not any(fnmatch(name, pattern) for pattern in (*STATES, ".*")):
                    with (place / name).open("rb") as file:
                        self._folder.files.write(target / name, partial(shutil.copyfileobj, file))
        except OSError:  # trained again, if it wins
            return None
        return piece.task.id


def _is_trial(id: str, trial: TrialRecord) -> bool:
    return trial.id == id


def _turn(piece: _Piece) -> tuple[int, int]:
    return piece.left[0].turn, piece.left[0].place
