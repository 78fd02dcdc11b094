"""The schedule that PBT found, read from a study's journal: which parameters the best weights were trained with, when.

A copied member goes on from another one's checkpoint, so the schedule behind its weights is the other one's up to that
epoch. The ancestry of the best trial is therefore followed back over all copies to a member that began by itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from raytune_nn.config.objective import Objective, read_goals
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.space.space import Space
from raytune_nn.store.ancestry import read_lineage
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord


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
    objective = Objective(goal.metric, goal.maximise, Take(stored["take"]))
    schedule = schedule_of_best(list(read_journal(folder.journal)), objective)
    if not schedule:
        rule = "search.scheduler.study must be a study with a trial that has a value"
        raise ConfigError(rule, f"none in {folder.name}", "let that study come to its end first")
    for stage in schedule:
        if not space.contains(stage.params):
            raise ConfigError(
                f"a schedule is replayed with the search_space of its study, and {folder.name} had another one",
                ", ".join(f"{path}={value}" for path, value in stage.params.items()),
                "the model, data and search_space overrides of that study",
            )
    return schedule


def schedule_of_best(events: Sequence[Event], objective: Objective) -> Schedule:
    """Of the weights that gave the best trial its value; empty where no trial has one."""
    best = StudyRecord.fold(objective, events).best
    if best is None:
        return ()
    stages: list[Stage] = []
    epoch = 0
    for part in read_lineage(events, objective, best.id).to_value:
        if not stages or stages[-1].params != part.params:
            stages.append(Stage(epoch, part.params))
        epoch = part.reports[-1]["epoch"]
    return tuple(stages)
