"""All rules over one trial, and over all trials of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raytune_nn.report.doctor.finding import Finding, Kind, Unseen
from raytune_nn.report.doctor.history import History
from raytune_nn.space.space import Space


@dataclass(frozen=True)
class Count:
    """How common one kind is in a study."""

    kind: Kind
    trials: tuple[str, ...]  # ids of those that show it
    action: str  # the most frequent one


@dataclass(frozen=True)
class StudyFindings:
    """What the doctor says of a study."""

    trials: Mapping[str, list[Finding]]  # by id, all that were looked at; empty: nothing was found
    unseen: Mapping[str, list[Unseen]]  # by id: what could not be looked for
    counts: list[Count]  # the most common kind first
    study: list[Finding]  # of the study as a whole: parameters at their bounds
    study_unseen: list[Unseen]  # the same, why not


def diagnose_trial(history: History) -> list[Finding]:
    """What is wrong with a trial, in the order in which it showed."""
    return []


def unseen(history: History) -> list[Unseen]:
    """What cannot be looked for in this trial, and why."""
    return []


def diagnose_study(histories: Iterable[History], space: Space | None) -> StudyFindings:
    """What is wrong with the trials of a study, and with its space.

    Args:
        histories: Of all its trials.
        space: What was searched; None: nothing, or it cannot be read.
    """
    looked = list(histories)
    trials = {history.id: diagnose_trial(history) for history in looked}
    return StudyFindings(trials, {history.id: unseen(history) for history in looked}, [], [], [])
