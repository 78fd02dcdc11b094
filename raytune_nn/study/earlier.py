"""Trials of earlier studies that can be taken over: what they reported, and where their models are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.errors import ConfigError
from raytune_nn.store.bucket import is_url, read_url
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.listing import list_studies
from raytune_nn.store.locate import locate_study
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

_USABLE = ("complete", "stopped", "diverged", "paused")  # one that failed is trained again


@dataclass(frozen=True)
class Told:
    """A report, or the end of a training.

    Args:
        place: In that study's journal.
        turn: Pieces of work that had been handed out by then, there.
        report: Null: the training came to its end.
    """

    place: int
    turn: int
    report: dict[str, Any] | None


@dataclass(frozen=True)
class EarlierTrial:
    """One that another study, or this one, has trained.

    Args:
        told: In order; of a training that was repeated after a loss, each report once.
        complete: Whether it came to its own end; else it was stopped or paused, and may have to go on here.
        model_epoch: The report whose model is in its folder of checkpoints, if any is.
    """

    folder: StudyFolder
    id: str
    identity: str
    told: tuple[Told, ...]
    complete: bool
    epochs: int
    model_epoch: int | None


def locate_sources(entries: Iterable[str], but: StudyFolder) -> list[tuple[StudyFolder, str]]:
    """The studies that ``study.cache`` names, with their status.

    Args:
        entries: Folders of studies, or storages that hold studies.
        but: This study.

    Raises:
        ConfigError: An entry is no folder that is there, or not one of a study or of studies.
        UnusableError: An object store does not answer.
    """
    found: dict[str, tuple[StudyFolder, str]] = {}
    for entry in entries:
        for folder, status in _located(entry):
            found.setdefault(folder.place, (folder, status))
    found.pop(but.place, None)
    return list(found.values())


def _located(entry: str) -> Iterator[tuple[StudyFolder, str]]:
    storage, name = _above(entry)
    if not is_url(entry) and not os.path.isdir(os.path.join(storage, name)):
        rule = "study.cache must list folders of studies, or storages that hold some"
        raise ConfigError(rule, f"no folder {os.path.join(storage, name)}", "study.cache=[studies]")
    here = [study for study in list_studies(storage) if study.name == name] if name else []
    if here and (is_url(entry) or StudyFolder(Path(storage) / name).exists):
        yield locate_study(storage, name), here[0].status
        return
    studies = list_studies(entry)
    if is_url(entry) and not studies:
        raise ConfigError("study.cache must list studies, or storages that hold some", entry, "study.cache=[studies]")
    yield from ((locate_study(entry, study.name), study.status) for study in studies)


def _above(entry: str) -> tuple[str, str]:
    if is_url(entry):
        bucket = read_url(entry)
        return bucket.above.url, bucket.prefix.rpartition("/")[2]
    path = Path(os.path.abspath(os.path.expanduser(entry)))
    return str(path.parent), path.name


def read_source(folder: StudyFolder, objective: Objective, code: str) -> dict[str, EarlierTrial]:
    """The trials of a study that can be taken over, by identity; of twins the one that went furthest.

    Args:
        code: The hash with which the identities begin that are wanted.

    Raises:
        RaytuneError: The journal is damaged, or cannot be read.
        LookupError: No trial there has an identity, as in a study of an earlier version.
    """
    folder.fetch()
    events = list(read_journal(folder.journal))
    if not any(event.get("identity") for event in events if event["type"] == "suggested"):
        raise LookupError("its trials have no identities: made by an earlier version, or by a population")
    found: dict[str, EarlierTrial] = {}
    of_this_code = partial(_is_of, f"{code}-")
    for earlier in read_trials(folder, objective, events, of_this_code):
        before = found.get(earlier.identity)
        if before is None or (earlier.complete, earlier.epochs) > (before.complete, before.epochs):
            found[earlier.identity] = earlier
    return found


def _is_of(code: str, trial: TrialRecord) -> bool:
    return trial.identity.startswith(code)


def read_trials(
    folder: StudyFolder, objective: Objective, events: list[Event], wanted: Callable[[TrialRecord], bool]
) -> Iterator[EarlierTrial]:
    """The trials of a journal that ended or paused.

    Args:
        wanted: Says of which trials, by their records.
    """
    record = StudyRecord.fold(objective, events)
    chosen = {id for id, trial in record.trials.items() if trial.state in _USABLE and wanted(trial)}
    told: dict[str, list[Told]] = {id: [] for id in chosen}
    models: dict[str, int] = {}
    turn = 0
    for place, event in enumerate(events):
        turn += event["type"] in ("suggested", "resumed")
        id = event.get("trial", "")
        if id not in chosen:
            continue
        if event["type"] == "checkpointed":
            models[id] = event["epoch"]
        elif event["type"] == "reported" and _is_next(event, told[id]):
            told[id].append(Told(place, turn, _as_sent(event)))
        elif event["type"] == "ended" and event["state"] == "complete":
            told[id].append(Told(place, turn, None))
    for id in chosen:
        yield _earlier(folder, record.trials[id], told[id], models.get(id))


def _is_next(event: Event, told: list[Told]) -> bool:
    """Whether a report is not one that was made again after a loss."""
    last = told[-1].report if told else None
    return last is None or (event["epoch"], event["step"]) > (last["epoch"], last["step"])


def _as_sent(event: Event) -> dict[str, Any]:
    kept = {key: event[key] for key in ("epoch", "step", "metrics")}
    return {**kept, "seconds": 0.0, "checkpoint": None}  # it takes no time here


def _earlier(folder: StudyFolder, trial: TrialRecord, told: list[Told], model: int | None) -> EarlierTrial:
    of_value = model is not None and model == trial.value_epoch and not trial.model_damage
    complete = trial.state == "complete"
    return EarlierTrial(
        folder, trial.id, trial.identity, tuple(told), complete, trial.epochs, model if of_value else None
    )
