"""The schedule that PBT found, read from a study's journal: which parameters the best weights were trained with, when.

A copied member goes on from another one's checkpoint, so the schedule behind its weights is the other one's up to that
epoch. The ancestry of the best trial is therefore followed back over all copies to a member that began by itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from raytune_nn.config.objective import Objective, read_goals
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord


@dataclass(frozen=True)
class Stage:
    """Parameters, from an epoch on."""

    epoch: int  # epochs trained before
    params: dict[str, Any]


Schedule = tuple[Stage, ...]  # by epoch, the first at 0


def read_schedule(study: str, space: Space) -> Schedule:
    """The schedule of the weights that gave a study its best value.

    What the best trial changed after it had reported this value is no part of it.

    Args:
        study: The folder of the study, absolute or from where the command is typed.
        space: What this study searches: the schedule's parameters must be points of it.

    Raises:
        ConfigError: There is no such study, it was not population-based, no trial of it has a value, or this study
            searches another space.
        UnusableError: Its journal is damaged.
    """
    folder = StudyFolder(Path(os.path.abspath(os.path.expanduser(study))))
    if not folder.exists or not folder.config.is_file():
        raise ConfigError(
            "search.scheduler.study must be the folder of a study", folder.path, "search.scheduler.study=studies/first"
        )
    config = OmegaConf.load(folder.config)
    scheduler = OmegaConf.select(config, "search.scheduler")
    if scheduler is None or "perturb" not in scheduler:
        found = "no search" if scheduler is None else scheduler.get("_target_")
        rule = "search.scheduler.study must be a study of PBT or PB2"
        raise ConfigError(rule, f"{folder.name}: {found}", "search.scheduler.study=<the folder of one>")
    stored = cast(dict[str, Any], OmegaConf.to_container(config.objective))
    goal, *_ = read_goals(stored["metric"], stored["mode"])
    ancestry = Ancestry(Objective(goal.metric, goal.maximise, Take(stored["take"])))
    for event in read_journal(folder.journal):
        ancestry.apply(event)
    if ancestry.best is None:
        rule = "search.scheduler.study must be a study with a trial that has a value"
        raise ConfigError(rule, f"none in {folder.name}", "let that study come to its end first")
    for stage in ancestry.best:
        if not space.contains(stage.params):
            raise ConfigError(
                f"a schedule is replayed with the search_space of its study, and {folder.name} had another one",
                ", ".join(f"{path}={value}" for path, value in stage.params.items()),
                "the model, data and search_space overrides of that study",
            )
    return ancestry.best


@dataclass
class _Line:
    """What is behind a trial: the schedule of its weights now, and of its value, None where it has none."""

    now: Schedule
    at_value: Schedule | None = None
    saved: _Line | None = None  # the same of its last state
    before: _Line | None = None  # and of the one before


class Ancestry:
    """The schedule behind each trial's weights; told the events of a journal in their order."""

    def __init__(self, objective: Objective) -> None:
        self._record = StudyRecord(objective)
        self._lines: dict[str, _Line] = {}

    @property
    def best(self) -> Schedule | None:
        """Of the weights that gave the best trial its value; None where no trial has one."""
        best = self._record.best
        return None if best is None else self._lines[best.id].at_value

    def apply(self, event: Event) -> None:
        """Takes one event in."""
        self._record.apply(event)
        id, kind = event.get("trial", ""), event["type"]
        if kind == "suggested" or (kind == "started" and not event.get("epoch")):
            self._lines[id] = _Line((Stage(0, self._record.trials[id].params),))  # without its state, it begins again
        elif kind == "resumed" and event["params"] is not None:
            self._resumed(self._lines[id], self._record.trials[id], event)
        elif kind == "reported":
            line = self._lines[id]
            if self._record.trials[id].metrics is event["metrics"]:
                line.at_value = line.now
            if event.get("saved"):
                line.before, line.saved = line.saved, _Line(line.now, line.at_value)
        elif kind == "fell_back" and event["epoch"]:
            self._fell_back(self._lines[id], self._record.trials[id])

    def _resumed(self, line: _Line, trial: TrialRecord, event: Event) -> None:
        epoch = 0 if trial.saved is None else trial.saved.epochs
        source = event["source"]
        weights = _until(self._lines[source or trial.id].now, epoch)
        if source is not None:
            line.before, line.saved = line.saved, _Line(weights, line.at_value)
        line.now = (*weights, Stage(epoch, event["params"]))

    def _fell_back(self, line: _Line, trial: TrialRecord) -> None:
        """It goes on from the weights of the state before, with the parameters that it has."""
        line.saved, line.before = line.before, None
        if line.saved is None or trial.saved is None:
            return
        weights = _until(line.saved.now, trial.saved.epochs)
        changed = () if weights[-1].params == trial.params else (Stage(trial.saved.epochs, trial.params),)
        line.now, line.at_value = (*weights, *changed), line.saved.at_value


def _until(schedule: Schedule, epoch: int) -> Schedule:
    return tuple(stage for stage in schedule if stage.epoch < epoch)
