"""What the record of a study knows of one trial.

A finished trial keeps a few numbers, not its reports, so that the record of 10,000 trials stays small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ENDED = ("complete", "stopped", "diverged", "failed")


@dataclass(frozen=True)
class Saved:
    """What was known of a trial when its state was last saved; it goes on from there."""

    epochs: int
    folds: int
    value: float | None
    value_epoch: int | None
    metrics: dict[str, float]
    params: dict[str, Any]  # that gave this value
    rung: int | None = None  # what it had reached, where that was a rung; None: a safety copy


@dataclass
class TrialRecord:
    """What is known of one trial."""

    id: str
    params: dict[str, Any]  # dotted path -> sampled value; what it goes on with, where they change on the way
    state: str = "waiting"  # waiting, running, paused, or one of ENDED
    epochs: int = 0
    folds: int = 0  # done, where the objective has folds: each is one report
    seconds: float = 0.0  # spent training, all attempts
    value: float | None = None  # the objective by `objective.take`; of several metrics the first
    value_epoch: int | None = None  # the epoch that reported it
    metrics: dict[str, float] = field(default_factory=dict)  # all metrics of that report
    checkpoint: str | None = None  # folder name under checkpoints/, once one was written
    model_damage: str = ""  # what is wrong with the model there, if that was found
    saves: int = 0  # states of its training that were written; the last is `saved`
    saved: Saved | None = None
    before: Saved | None = None  # the state before that one: what it goes on from where the last cannot be used
    retries: int = 0
    alone: bool = False  # it ran out of memory on a GPU that it shared, and has one to itself since then
    stop_asked: bool = False  # by hand: it ends at its next report
    identity: str = ""  # of what it trains; empty: not known, or its parameters change on the way
    cached: str = ""  # the study and the trial there from which it was taken over; empty: it was trained
    partial: bool = False  # whether a taken-over trial could go on beyond its last report
    until: int = 0  # epochs, of one that is trained again for its model alone; 0: of any other
    reason: str = ""  # why it paused, was stopped, failed or is tried again; the record's causes have a traceback
    _earlier_seconds: float = 0.0  # of attempts before this one
    _params_then: dict[str, Any] = field(default_factory=dict)  # at the report that is its value

    @property
    def value_params(self) -> dict[str, Any]:
        """The parameters that gave its value, which may have changed since; without a value, the present ones."""
        return self.params if self.value is None else self._params_then

    @property
    def ended(self) -> bool:
        """Whether it will report no more."""
        return self.state in ENDED

    @property
    def just_saved(self) -> bool:
        """Whether its state at the last report is on the disk."""
        return self.saved is not None and self.saved.epochs == self.epochs

    @property
    def successful(self) -> bool:
        """Whether its value counts."""
        return self.value is not None and self.state in ("complete", "stopped")
