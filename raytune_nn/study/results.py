"""What a study leaves for people and programs, all of it read from the record: summary, table of trials, winner."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from raytune_nn import __version__
from raytune_nn.config.objective import Objective
from raytune_nn.store.causes import brief
from raytune_nn.store.checkpoints import MODEL, STATES
from raytune_nn.store.folder import StudyFolder, usable, write_json, write_text
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.recorded import read_recorded, write_recorded
from raytune_nn.store.seal import damage
from raytune_nn.store.trial import TrialRecord
from raytune_nn.store.trial_table import trials_csv

_LIBRARIES = ("ray", "torch", "pytorch-lightning", "hydra-core")


def versions() -> dict[str, str]:
    """Of this package, Python and the libraries that decide about results."""
    installed = {name: version(name) for name in _LIBRARIES}
    return {"raytune_nn": __version__, "python": platform.python_version(), **installed}


def write_results(folder: StudyFolder, record: StudyRecord) -> None:
    """Writes ``summary.json``, ``trials.csv`` and ``best/``."""
    write_text(folder.trials, trials_csv(record))
    folder.publish(folder.trials)
    _write_best(folder, record)
    write_summary(folder, record)  # last: whoever sees its status finds the rest


def write_summary(folder: StudyFolder, record: StudyRecord) -> None:
    """Writes ``summary.json``."""
    write_json(folder.summary, summary(record))
    folder.publish(folder.summary)


def summary(record: StudyRecord) -> dict[str, Any]:
    """The study in a few numbers (``summary.json``)."""
    best = record.best
    states = ("complete", "stopped", "diverged", "failed", "paused")
    return {
        "name": record.study.get("name"),
        "status": record.status,
        "reason": record.reason,
        "objective": _objective(record.objective),
        "counts": {
            "trials": len(record.trials),
            **{state: record.counts[state] for state in states},
            "cached": sum(trial.ended and trial.cached != "" for trial in record.trials.values()),
            "epochs": record.epochs,
        },
        "seconds": {"wall": round(record.wall_seconds, 3), "busy": round(record.busy_seconds, 3)},
        "gpu_hours": round(record.gpu_hours(record.study.get("gpus", 0.0)), 6),
        "best": None if best is None else _best(best, record),
        **_front(record),
        **_confirmed(record),
        **_failures(record),
        **_damaged(record),
        "began": record.study.get("time"),
        "versions": record.study.get("versions", {}),
        "command": record.study.get("command", ""),
    }


def _objective(objective: Objective) -> dict[str, Any]:
    if not objective.further:
        return {"metric": objective.metric, "mode": objective.goals[0].mode}
    return {"metric": [goal.metric for goal in objective.goals], "mode": [goal.mode for goal in objective.goals]}


def _best(best: TrialRecord, record: StudyRecord) -> dict[str, Any]:
    values = {"values": record.values(best)} if record.objective.further else {}
    folds = {} if record.objective.folds is None else {"std": record.std(best), "folds": best.folds}
    params = best.value_params
    return {"trial": best.id, "value": best.value, **values, "epoch": best.value_epoch, **folds, "params": params}


def _failures(record: StudyRecord) -> dict[str, Any]:
    """By cause, the most frequent first: trials that failed, and attempts after which a trial was tried again."""
    failed = [
        {"cause": str(cause.diagnosis), "count": cause.count, "trials": cause.trials, "traceback": brief(cause.error)}
        for cause in record.causes.of_failures
    ]
    retried = [
        {"cause": str(cause.diagnosis), "count": cause.retries, "trials": cause.retried}
        for cause in record.causes.of_retries
    ]
    return {"failures": failed, "retried": retried}


def _front(record: StudyRecord) -> dict[str, Any]:
    """Of several metrics: the trials that no other one dominates, best first by the first metric."""
    if not record.objective.further:
        return {}
    front = [
        {"trial": trial.id, "values": record.values(trial), "epoch": trial.value_epoch, "params": trial.value_params}
        for trial in record.front
    ]
    return {"pareto_front": front}


def _confirmed(record: StudyRecord) -> dict[str, Any]:
    """Where mode=confirm was run: what it came to, the best mean first."""
    event = record.confirmed
    if not event:
        return {}
    whole = ("metric", "on", "openings", "confidence", "seeds", "best", "tied", "recommended")
    each = ("trial", "values", "mean", "low", "high", "p", "parameters")
    candidates = [{key: candidate[key] for key in each} for candidate in event["candidates"]]
    return {"confirmed": {**{key: event[key] for key in whole}, "candidates": candidates}}


def _damaged(record: StudyRecord) -> dict[str, Any]:
    """Files of checkpoints that could not be used, where there were any, and why."""
    if not record.damages:
        return {}
    return {"damaged": [{key: event[key] for key in ("file", "why")} for event in record.damages]}


def _write_best(folder: StudyFolder, record: StudyRecord) -> None:
    """Puts the best trial's model and configuration under names that do not change.

    In place of a damaged model stays the copy that was made of it before, or else none.
    """
    best = record.best
    if best is None or best.checkpoint is None:
        return
    source, draft = folder.checkpoints / best.checkpoint, folder.path / ".best.draft"
    with usable(folder.shown(source)):
        folder.files.fetch_folder(source, but=STATES)
        if best.model_damage:
            folder.files.fetch_folder(folder.best)
    if not source.is_dir():  # somebody made room: `best/` is as it was copied when the study ended
        return
    with usable(folder.best):
        if best.model_damage and _is_copy(folder.best, source):
            return
        shutil.rmtree(draft, ignore_errors=True)
        left = (*STATES, MODEL) if best.model_damage else STATES
        shutil.copytree(source, draft, ignore=shutil.ignore_patterns(*left))
        write_recorded(read_recorded(folder, record, best.id), draft)
        shutil.rmtree(folder.best, ignore_errors=True)
        draft.rename(folder.best)
    folder.publish(folder.best)


def _is_copy(best: Path, source: Path) -> bool:
    """Whether a whole model of this trial is there: no other one has its configuration."""
    configs = [folder / "config.yaml" for folder in (best, source)]
    same = all(path.is_file() for path in configs) and configs[0].read_bytes() == configs[1].read_bytes()
    return same and not damage(best / MODEL)
