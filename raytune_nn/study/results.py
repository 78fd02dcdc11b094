"""What a study leaves for people and programs, all of it read from the record: summary, table of trials, winner."""

from __future__ import annotations

import csv
import io
import json
import platform
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from raytune_nn import __version__
from raytune_nn.config.objective import Objective
from raytune_nn.store.causes import brief
from raytune_nn.store.checkpoints import MODEL, STATES
from raytune_nn.store.folder import StudyFolder, usable, write_json, write_text
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.seal import damage
from raytune_nn.store.trial import TrialRecord

_LIBRARIES = ("ray", "torch", "pytorch-lightning", "hydra-core")


def versions() -> dict[str, str]:
    """Of this package, Python and the libraries that decide about results."""
    installed = {name: version(name) for name in _LIBRARIES}
    return {"raytune_nn": __version__, "python": platform.python_version(), **installed}


def write_results(folder: StudyFolder, record: StudyRecord) -> None:
    """Writes ``summary.json``, ``trials.csv`` and ``best/``."""
    write_text(folder.trials, trials_table(record))
    folder.publish(folder.trials)
    _write_best(folder, record)
    write_json(folder.summary, summary(record))  # last: whoever sees its status finds the rest
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
            "cached": 0,
            "epochs": record.epochs,
        },
        "seconds": {"wall": round(record.wall_seconds, 3), "busy": round(record.busy_seconds, 3)},
        "best": None if best is None else _best(best, record),
        **_front(record),
        **_failures(record),
        **_damaged(record),
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


def _damaged(record: StudyRecord) -> dict[str, Any]:
    """Files of checkpoints that could not be used, where there were any, and why."""
    if not record.damages:
        return {}
    return {"damaged": [{key: event[key] for key in ("file", "why")} for event in record.damages]}


def trials_table(record: StudyRecord) -> str:
    """One row a trial as CSV; a parameter that a trial does not have is empty, as is the value of a diverged one.

    The parameters are those that gave the value: a population changes them on the way.

    A study with folds has the standard deviation over them in a last column, empty for a trial of fewer than two.
    A study of several metrics has a column for each after the first, and one that says whether a trial is on the Pareto
    front. Texts stand as they are, other parameters as JSON: ``null``, ``true``, ``[64, 64]``.
    """
    paths = sorted({path for trial in record.trials.values() for path in trial.value_params})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    last = _last_columns(record)
    writer.writerow(["trial", "state", "value", "epochs", "seconds", *(f"params.{path}" for path in paths), *last])
    for trial in record.trials.values():
        writer.writerow(
            [
                trial.id,
                _shown_state(trial, record),
                _number(trial.value),
                trial.epochs,
                f"{trial.seconds:.3f}",
                *(_cell(trial.value_params.get(path, "")) for path in paths),
                *(cell(trial) for cell in last.values()),
            ]
        )
    return text.getvalue()


def _last_columns(record: StudyRecord) -> dict[str, Callable[[TrialRecord], str]]:
    """Those that not every study has: their names, and what they say of a trial."""
    columns: dict[str, Callable[[TrialRecord], str]] = {}
    if record.objective.folds is not None:
        columns["std"] = lambda trial: _number(record.std(trial))
    for goal in record.objective.further:
        columns[f"value.{goal.metric}"] = partial(_metric, goal.metric)
    if record.objective.further:
        front = {trial.id for trial in record.front}
        columns["pareto_front"] = lambda trial: _cell(trial.id in front)
    return columns


def _metric(name: str, trial: TrialRecord) -> str:
    return _number(trial.metrics.get(name))


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown_state(trial: TrialRecord, record: StudyRecord) -> str:
    """A trial that waits or runs in a study that does neither was interrupted."""
    known = trial.ended or trial.state == "paused" or record.status == "running"
    return trial.state if known else "interrupted"


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
        shutil.rmtree(folder.best, ignore_errors=True)
        draft.rename(folder.best)
    folder.publish(folder.best)


def _is_copy(best: Path, source: Path) -> bool:
    """Whether a whole model of this trial is there: no other one has its configuration."""
    configs = [folder / "config.yaml" for folder in (best, source)]
    same = all(path.is_file() for path in configs) and configs[0].read_bytes() == configs[1].read_bytes()
    return same and not damage(best / MODEL)
