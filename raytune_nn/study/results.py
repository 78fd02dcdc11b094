"""What a study leaves for people and programs, all of it read from the record: summary, table of trials, winner."""

from __future__ import annotations

import csv
import io
import json
import platform
import shutil
from importlib.metadata import version
from typing import Any

from raytune_nn import __version__
from raytune_nn.store.folder import StudyFolder, usable, write_json, write_text
from raytune_nn.store.record import StudyRecord, TrialRecord

_LIBRARIES = ("ray", "torch", "pytorch-lightning", "hydra-core")


def versions() -> dict[str, str]:
    """Of this package, Python and the libraries that decide about results."""
    installed = {name: version(name) for name in _LIBRARIES}
    return {"raytune_nn": __version__, "python": platform.python_version(), **installed}


def write_results(folder: StudyFolder, record: StudyRecord) -> None:
    """Writes ``summary.json``, ``trials.csv`` and ``best/``."""
    write_text(folder.trials, trials_table(record))
    _write_best(folder, record)
    write_json(folder.summary, summary(record))  # last: whoever sees its status finds the rest


def summary(record: StudyRecord) -> dict[str, Any]:
    """The study in a few numbers (``summary.json``)."""
    best = record.best
    states = ("complete", "stopped", "diverged", "failed", "paused")
    return {
        "name": record.study.get("name"),
        "status": record.status,
        "reason": record.reason,
        "objective": {
            "metric": record.objective.metric,
            "mode": "max" if record.objective.maximise else "min",
        },
        "counts": {
            "trials": len(record.trials),
            **{state: record.counts[state] for state in states},
            "cached": 0,
            "epochs": record.epochs,
        },
        "seconds": {"wall": round(record.wall_seconds, 3), "busy": round(record.busy_seconds, 3)},
        "best": None if best is None else _best(best, record),
        "versions": record.study.get("versions", {}),
        "command": record.study.get("command", ""),
    }


def _best(best: TrialRecord, record: StudyRecord) -> dict[str, Any]:
    folds = {} if record.objective.folds is None else {"std": record.std(best), "folds": best.folds}
    return {"trial": best.id, "value": best.value, "epoch": best.value_epoch, **folds, "params": best.params}


def trials_table(record: StudyRecord) -> str:
    """One row a trial as CSV; a parameter that a trial does not have is empty, as is the value of a diverged one.

    A study with folds has the standard deviation over them in a last column, empty for a trial of fewer than two.
    Texts stand as they are, other parameters as JSON: ``null``, ``true``, ``[64, 64]``.
    """
    paths = sorted({path for trial in record.trials.values() for path in trial.params})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    last = [] if record.objective.folds is None else ["std"]
    writer.writerow(["trial", "state", "value", "epochs", "seconds", *(f"params.{path}" for path in paths), *last])
    for trial in record.trials.values():
        writer.writerow(
            [
                trial.id,
                _shown_state(trial, record),
                _number(trial.value),
                trial.epochs,
                f"{trial.seconds:.3f}",
                *(_cell(trial.params.get(path, "")) for path in paths),
                *(_number(record.std(trial)) for _ in last),
            ]
        )
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown_state(trial: TrialRecord, record: StudyRecord) -> str:
    """A trial that waits or runs in a study that does neither was interrupted."""
    known = trial.ended or trial.state == "paused" or record.status == "running"
    return trial.state if known else "interrupted"


def _write_best(folder: StudyFolder, record: StudyRecord) -> None:
    """Puts the best trial's model and configuration under names that do not change."""
    best = record.best
    if best is None or best.checkpoint is None:
        return
    source, draft = folder.checkpoints / best.checkpoint, folder.path / ".best.draft"
    if not source.is_dir():  # somebody made room: `best/` is as it was copied when the study ended
        return
    with usable(folder.best):
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(source, draft)
        shutil.rmtree(folder.best, ignore_errors=True)
        draft.rename(folder.best)
