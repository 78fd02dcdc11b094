"""The table of trials as values in columns; the text, the Parquet file and the data frame of a study are made of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from enum import Enum
from typing import Any

from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

PARAMS = "params."  # begins the name of a parameter's column


class Absent(Enum):
    """Stands where a trial has no such value; None is a value that a parameter can have."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
Columns = dict[str, list[Any]]


def trial_columns(record: StudyRecord) -> Columns:
    """One row a trial, in the order of suggestion; the columns in their order, from name to values.

    The parameters are those that gave the value: a population changes them on the way. A diverged trial has no value.

    A study with folds has the standard deviation over them in a last column, which a trial of fewer than two has not.
    A study of several metrics has a column for each after the first, and one that says whether a trial is on the Pareto
    front.
    """
    trials = list(record.trials.values())
    paths = sorted({path for trial in trials for path in trial.value_params})
    return {
        "trial": [trial.id for trial in trials],
        "state": [shown_state(trial, record) for trial in trials],
        "value": [_there(trial.value) for trial in trials],
        "epochs": [trial.epochs for trial in trials],
        "seconds": [trial.seconds for trial in trials],
        **{f"{PARAMS}{path}": [trial.value_params.get(path, ABSENT) for trial in trials] for path in paths},
        **_last_columns(record, trials),
    }


def trials_csv(record: StudyRecord) -> str:
    """One row a trial as CSV, with the columns of `trial_columns`; what a trial does not have is empty.

    Texts stand as they are, other parameters as JSON: ``null``, ``true``, ``[64, 64]``.
    """
    columns = trial_columns(record)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_cells(name, values) for name, values in columns.items()), strict=True))
    return text.getvalue()


def shown_state(trial: TrialRecord, record: StudyRecord) -> str:
    """A trial that waits or runs in a study that does neither was interrupted."""
    known = trial.ended or trial.state == "paused" or record.status == "running"
    return trial.state if known else "interrupted"


def _last_columns(record: StudyRecord, trials: list[TrialRecord]) -> Columns:
    """Those that not every study has."""
    columns: Columns = {}
    if any(trial.cached for trial in trials):
        columns["cached"] = [trial.cached or ABSENT for trial in trials]
    if record.objective.folds is not None:
        columns["std"] = [_there(record.std(trial)) for trial in trials]
    for goal in record.objective.further:
        columns[f"value.{goal.metric}"] = [trial.metrics.get(goal.metric, ABSENT) for trial in trials]
    if record.objective.further:
        front = {trial.id for trial in record.front}
        columns["pareto_front"] = [trial.id in front for trial in trials]
    return columns


def _there(value: float | None) -> float | Absent:
    return ABSENT if value is None else value


def _cells(name: str, values: list[Any]) -> Iterator[str]:
    if name == "seconds":
        yield from (f"{value:.3f}" for value in values)
    else:
        is_param = name.startswith(PARAMS)
        yield from (_cell(value, is_param) for value in values)


def _cell(value: object, is_param: bool) -> str:
    if value is ABSENT:
        return ""
    if isinstance(value, float) and not is_param:  # not JSON's words for what is not finite
        return repr(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
