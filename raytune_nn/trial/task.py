"""What a slot is told, and what it answers: plain data, light to send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from raytune_nn.config.fidelity import EPOCHS, Fidelity
from raytune_nn.config.objective import Objective, Values
from raytune_nn.space.space import Space

NOTHING = Space()
MOST_BEAT_SECONDS = 60.0


@dataclass(frozen=True)
class StudyContext:
    """What all trials of a study share; sent to a slot once."""

    config: dict[str, Any]  # the composed base configuration, interpolations unresolved
    branches: dict[str, dict[str, Any]]  # group path -> option -> configuration of that option
    objective: Objective
    folder: str  # absolute path of the study folder; on an object store, of this process's working folder
    waits_at: tuple[int, ...] | None  # in `fidelity`: whose reports a trial waits for the answer to; None: all
    pauses: bool = False  # whether the answer may be to pause: a trial then saves its state before such a report
    fidelity: Fidelity = EPOCHS
    copy_seconds: float | None = None  # a trial saves its state once it has trained so long since the last; None: never
    report_every: float = 0.25  # seconds for which a slot gathers reports that need no answer
    keeps_rungs: bool = False  # whether the states with which trials may pause stay for good
    no_report_timeout: float | None = None  # seconds after which a slot that gave no answer is given up
    saves_to_leave: bool = False  # whether a trial saves its state at any report, to leave an interrupted study
    storage_timeout: float = 0.0  # seconds for which a slot waits for a storage that refuses
    min_free: float = 0.0  # MB on the study's disk, below which no trial begins
    space: Space = NOTHING  # what is searched
    name: str = ""  # of the study
    url: str = ""  # of the study, where it is on an object store

    @property
    def saves_states(self) -> bool:
        """Whether trials save the states of their trainings; with folds these are a few numbers."""
        saves = self.pauses or self.copy_seconds is not None or self.saves_to_leave
        return self.objective.folds is None and saves

    @property
    def beat_seconds(self) -> float | None:
        """How often a slot answers while its training goes on without a report; None: it need not."""
        return None if self.no_report_timeout is None else min(MOST_BEAT_SECONDS, self.no_report_timeout / 4)

    @property
    def states(self) -> int:
        """Of one trial that are on the disk at once, the one before the last too; with folds none that takes room."""
        kept = len(self.waits_at or ()) if self.keeps_rungs else 0
        return 2 + kept if self.saves_states else 0

    def waits(self, earlier: int, reached: int) -> bool:
        """Whether a trial waits for the answer to a report; it is decided late where a module skips the step wanted.

        Args:
            earlier: What the trial had reached at its report before, in `fidelity`; 0 where there is none.
        """
        return self.waits_at is None or any(earlier < step <= reached for step in self.waits_at)


@dataclass(frozen=True)
class TrialTask:
    """One piece of work: a trial from its beginning, or from the state in which it paused or was last saved."""

    id: str
    params: dict[str, Any]  # dotted path -> sampled value
    front: tuple[Values, ...]  # what a report must join, as a Pareto front, to be worth a model: `BestTrials.bar`
    values: Values | None = None  # of the reports before
    epoch: int = 0  # of the state that it begins with; 0: from the beginning
    saves: int = 0  # states of this trial so far, whether it begins with the last or not
    piece: int = 0  # tells the pieces of a trial apart
    alone: bool = False  # whether it has a GPU to itself, where other trials share one


@dataclass(frozen=True)
class Size:
    """Of the checkpoints of a trial, in bytes."""

    model: int
    state: int


@dataclass(frozen=True)
class Report:
    """The metrics after one validation."""

    epoch: int  # epochs trained, from 1
    step: int  # optimizer steps taken
    seconds: float  # since this piece of work began
    metrics: dict[str, float]
    checkpoint: str | None = None  # folder under checkpoints/, where one was written for this report
    saved: bool = False  # whether the state of the training at exactly this report is on the disk
    rung: int | None = None  # what the trial has reached, where the state is saved because it may pause here
    unlogged: str = ""  # why the configured logger takes nothing; said once
    machine: dict[str, Any] = field(default_factory=dict)  # where it is trained; said once a piece of work
    unsaved: str = ""  # why there is no safety copy here, though it is time for one; said once
