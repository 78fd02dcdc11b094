"""What a slot is told, and what it answers: plain data, light to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from raytune_nn.config.objective import Objective


@dataclass(frozen=True)
class StudyContext:
    """What all trials of a study share; sent to a slot once."""

    config: dict[str, Any]  # the composed base configuration, interpolations unresolved
    branches: dict[str, dict[str, Any]]  # group path -> option -> configuration of that option
    objective: Objective
    folder: str  # absolute path of the study folder
    waits_at: tuple[int, ...] | None  # epochs whose report a trial waits for the answer to, ascending; None: all


@dataclass(frozen=True)
class TrialTask:
    """One trial to run."""

    id: str
    params: dict[str, Any]  # dotted path -> sampled value
    best_value: float | None  # best of the study so far; a trial that never beats it writes no checkpoint


@dataclass(frozen=True)
class Report:
    """The metrics after one validation."""

    epoch: int  # epochs trained, from 1
    step: int  # optimizer steps taken
    seconds: float  # since the trial began
    metrics: dict[str, float]
    checkpoint: str | None = None  # folder under checkpoints/, where one was written for this report
