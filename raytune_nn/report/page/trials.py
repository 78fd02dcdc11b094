"""The table of all trials: columns and rows that the page sorts and filters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from raytune_nn.report.figures.look import fate
from raytune_nn.report.figures.parameters import short_names
from raytune_nn.report.study import Study
from raytune_nn.report.tables import format_results, format_value, rank
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

Cell = Any  # a text, a number or nothing; or [sort by, shown] where they differ


def trial_table(study: Study) -> dict[str, Any]:
    """``columns`` (name, title, kind) and ``rows``, best first, as JSON takes them."""
    record, objective = study.record, study.record.objective
    paths = sorted({path for trial in record.trials.values() for path in trial.value_params})
    names = short_names(paths)
    front = {trial.id for trial in record.front} if objective.further else set[str]()
    columns = [
        {"name": "rank", "title": "1 is the best", "kind": "number"},
        {"name": "trial", "title": "as the journal numbers it", "kind": "number"},
        {"name": "state", "title": "what became of it", "kind": "state"},
        *({"name": goal.metric, "title": f"objective, {goal.mode}", "kind": "number"} for goal in objective.goals),
        {"name": "epochs", "title": "trained", "kind": "number"},
        {"name": "seconds", "title": "in training, all attempts", "kind": "number"},
        *({"name": names[path], "title": path, "kind": _kind(path, record)} for path in paths),
        {"name": "why", "title": "last decision or reason", "kind": "text"},
    ]
    rows = [_row(place, trial, record, paths, front) for place, trial in enumerate(rank(record), start=1)]
    return {"columns": columns, "rows": rows}


def _row(place: int, trial: TrialRecord, record: StudyRecord, paths: Iterable[str], front: set[str]) -> list[Cell]:
    values = record.values(trial) or (None,) * len(record.objective.goals)
    texts = format_results(trial, record, digits=5)
    params = trial.value_params
    return [
        [place, f"{place} ★"] if trial.id in front else place,
        [int(trial.id), trial.id] if trial.id.isdecimal() else trial.id,
        fate(trial, record),
        *(_number(value, text) for value, text in zip(values, texts, strict=True)),
        trial.epochs,
        [round(trial.seconds, 3), f"{trial.seconds:.1f}"],
        *(_parameter(params[path]) if path in params else None for path in paths),
        trial.reason or None,
    ]


def _number(value: float | None, shown: str) -> Cell:
    if value is None or math.isnan(value):
        return None
    return [value, shown] if math.isfinite(value) else shown


def _parameter(value: object) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return [value, format_value(value)]
    return format_value(value)


def _kind(path: str, record: StudyRecord) -> str:
    """Whether all trials have numbers there."""
    found = [trial.value_params[path] for trial in record.trials.values() if path in trial.value_params]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in found)
    return "number" if numbers else "text"
