"""Warm start: tells a searcher what an earlier study over the same space has found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import Objective, overrides, read_goals
from raytune_nn.errors import ConfigError
from raytune_nn.search.searcher import Searcher
from raytune_nn.space.leaf import written
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord


def warm_start(searcher: Searcher, folder: str, space: Space, objective: Objective, fidelity: Fidelity) -> None:
    """Repeats to a fresh searcher the reports and ends of another study's trials.

    Args:
        folder: Of the other study, absolute or from where the command is typed.
        space: What this study searches; the other one must have searched the same.
        objective: What this study optimises; likewise.
        fidelity: What this study counts; the other one may have counted something else.

    Raises:
        ConfigError: There is no such study, it had another space or objective, or what this one counts was no whole
            number there.
        UnusableError: Its journal is damaged.
    """
    other = StudyFolder(Path(os.path.abspath(os.path.expanduser(folder))))
    if not other.exists or not other.space.is_file() or not other.config.is_file():
        raise ConfigError("search.warm_start must be the folder of a study", other.path, "search.warm_start=null")
    _check_space(other, space)
    _check_objective(other, objective)
    record = StudyRecord(objective)
    for event in read_journal(other.journal):
        record.apply(event)
        if event["type"] == "reported":
            score, reached = record.score(event["metrics"]), _reached(event, fidelity, other)
            if score is not None and reached is not None:
                searcher.on_report(f"{other.path}/{event['trial']}", reached, score)
        elif event["type"] == "ended":
            trial = record.trials[event["trial"]]
            searcher.on_end(f"{other.path}/{trial.id}", trial.value_params, record.final_score(trial), trial.state)


def _reached(report: Event, fidelity: Fidelity, other: StudyFolder) -> int | None:
    try:
        return fidelity.reached(report)
    except ValueError as error:
        raise ConfigError(
            f"search.warm_start must be a study in which search.fidelity={fidelity.name} is a whole number",
            f"{report['metrics'][fidelity.name]} at epoch {report['epoch']} of trial {report['trial']} of {other.name}",
            "search.fidelity=step, or search.warm_start=null",
        ) from error


def _check_space(other: StudyFolder, space: Space) -> None:
    theirs = parse_space(yaml.safe_load(other.space.read_text(encoding="utf-8")))
    if theirs != space:
        raise ConfigError(
            f"search.warm_start must be a study over the same search_space, and {other.name} is not",
            "\n         ".join(["", *_differences(theirs, space)]).rstrip(),
            "the search_space of that study, or search.warm_start=null",
        )


def _differences(theirs: Space, ours: Space) -> Iterator[str]:
    listed = [
        {(path, *sorted(chosen.items())): written(domain) for path, domain, chosen in space.paths()}
        for space in (theirs, ours)
    ]
    for place in dict.fromkeys([*listed[0], *listed[1]]):
        there, here = (domains.get(place, "absent") for domains in listed)
        if there != here:
            branch = "".join(f" ({group}={option})" for group, option in place[1:])
            yield f"{place[0]}{branch}: {there} -> {here}"


def _check_objective(other: StudyFolder, objective: Objective) -> None:
    stored = yaml.safe_load(other.config.read_text(encoding="utf-8"))["objective"]
    theirs = read_goals(stored["metric"], stored["mode"])
    if tuple(theirs) != objective.goals:
        raise ConfigError(
            f"search.warm_start must be a study with the same objective, and {other.name} is not",
            "; ".join(f"{goal.metric}, {goal.mode}" for goal in theirs),
            f"{overrides(theirs)}, or search.warm_start=null",
        )
