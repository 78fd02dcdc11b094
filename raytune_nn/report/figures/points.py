"""What figures are drawn from: a study's reports as columns, and what happened to each trial on the way."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord


@dataclass(frozen=True)
class Mark:
    """Something that happened to a trial."""

    kind: str  # a state of ENDED, or: paused, promoted, went on, changed, copied, tried again, fell back
    trial: int  # place in `Points.trials`
    epoch: int  # epochs that it had trained
    rows: int  # reports in the whole study before it
    reason: str = ""


@dataclass(frozen=True)
class Stage:
    """Parameters that a trial trained with from one epoch to another."""

    trial: int
    begin: int
    end: int
    params: dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """A member of a population went on from another one's state."""

    trial: int
    source: int
    epoch: int  # of that state
    left: int  # epochs that the member itself had trained
    rows: int  # reports in the whole study before it
    before: dict[str, Any]  # its parameters
    origin: dict[str, Any]  # those of the source
    params: dict[str, Any]  # with which it went on


@dataclass(frozen=True)
class Points:
    """All reports of a study in their order, those without the objective left out.

    Columns have shape (reports,), ``values`` (reports, metrics of the objective).
    """

    record: StudyRecord
    trials: Sequence[TrialRecord]
    trial: NDArray[np.int32]  # place in `trials`
    epoch: NDArray[np.int32]
    reached: NDArray[np.float64]  # what the scheduler counts
    values: NDArray[np.float64]
    begins: NDArray[np.bool_]  # whether it does not go on from the trial's report before
    wall: NDArray[np.float64]  # seconds that drivers had run the study
    epochs: NDArray[np.int64]  # trained by all trials until then
    busy: NDArray[np.float64]  # seconds of training until then, of all trials
    alone: NDArray[np.float64]  # of them with a GPU that others would have shared
    marks: Sequence[Mark]
    stages: Sequence[Stage]
    copies: Sequence[Copy]
    changed: Set[str]  # parameters that a trial, or the copy of one, went on with another value of
    resumptions: Sequence[int]  # by other drivers: reports in the whole study before each
    rungs: Sequence[int]  # named in decisions, ascending
    value_row: NDArray[np.int64]  # shape (trials,): the report that is a trial's value; -1: it has none

    def rows_of(self, trial: int) -> NDArray[np.int64]:
        """Of one trial's reports."""
        return self._order[self._starts[trial] : self._starts[trial + 1]]

    @property
    def ids(self) -> NDArray[np.int32]:
        """Of the trials: a trial's id is its number."""
        return np.array([int(trial.id) for trial in self.trials], np.int32)

    @property
    def population(self) -> bool:
        """Whether trials copied each other, or changed their parameters on the way."""
        return bool(self.copies or self.changed)

    def __post_init__(self) -> None:
        order = np.argsort(self.trial, kind="stable")
        starts = np.searchsorted(self.trial[order], np.arange(len(self.trials) + 1))
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_starts", starts)

    _order: NDArray[np.int64] = field(init=False, repr=False)
    _starts: NDArray[np.int64] = field(init=False, repr=False)
