"""The tables of a study with a type a column: trials and reports, for Parquet files and data frames.

A parameter's column has the type of its values: bool, int64, double (integers and other numbers), or string. Where
they are anything else (numbers and texts, lists, mappings, null among others) the column is of strings that read as in
``trials.csv``: texts as they stand, other values as JSON, such as ``64``, ``[64, 64]`` or ``null``. A parameter that a
trial does not have is missing (Parquet's null), in a column of any type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from raytune_nn.space.values import LARGEST_INT
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial_table import ABSENT, PARAMS, trial_columns

METRICS = "metrics."  # begins the name of a metric's column
CHUNK = 50_000  # reports in memory as Python's objects
_TRIALS = {
    "trial": pa.int64(),
    "state": pa.string(),
    "epochs": pa.int64(),
    "pareto_front": pa.bool_(),
    "cached": pa.string(),
}  # the others are numbers
_REPORTS = {
    "trial": pa.int64(),
    "attempt": pa.int64(),  # how often the trial had begun or gone on by then, from 1; 0: taken over
    "epoch": pa.int64(),
    "step": pa.int64(),  # of the optimizer
    "time": pa.timestamp("us", tz="UTC"),  # when the driver heard of it
    "seconds": pa.float64(),  # of training, in this attempt
    "saved": pa.bool_(),  # whether the state of the training was saved at this report
}


def typed_trials(record: StudyRecord) -> pa.Table:
    """One row a trial, with the columns of ``trials.csv``."""
    columns = trial_columns(record)
    return pa.table({name: _typed(name, values) for name, values in columns.items()})


def typed_reports(events: Iterable[Event]) -> pa.Table:
    """One row a report, in the order of the journal; a metric that a report lacks is missing.

    An epoch is there twice where a trial was trained again from an earlier state: the last attempt counts.
    """
    attempts: dict[str, int] = {}
    tables = [_reports([])]
    rows: list[tuple[Event, int]] = []
    for event in events:
        if event["type"] == "started":
            attempts[event["trial"]] = attempts.get(event["trial"], 0) + 1
        elif event["type"] == "reported":
            rows.append((event, attempts.get(event["trial"], 0 if event.get("cached") else 1)))
            if len(rows) == CHUNK:
                tables.append(_reports(rows))
                rows.clear()
    return pa.concat_tables([*tables, _reports(rows)], promote_options="default")


def _reports(rows: Sequence[tuple[Event, int]]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "trial": [int(event["trial"]) for event, _ in rows],
        "attempt": [attempt for _, attempt in rows],
        "time": [round(event["time"] * 1e6) for event, _ in rows],
        "saved": [bool(event.get("saved")) for event, _ in rows],
        **{key: [event[key] for event, _ in rows] for key in ("epoch", "seconds")},
        "step": [event.get("step") for event, _ in rows],
    }
    arrays = {name: pa.array(columns[name], kind) for name, kind in _REPORTS.items()}
    for metric in dict.fromkeys(name for event, _ in rows for name in event["metrics"]):
        arrays[METRICS + metric] = pa.array([event["metrics"].get(metric) for event, _ in rows], pa.float64())
    return pa.table(arrays)


def _typed(name: str, values: Sequence[Any]) -> pa.Array:
    there = [None if value is ABSENT else value for value in values]
    if not name.startswith(PARAMS):
        there = [int(value) for value in values] if name == "trial" else there
        return pa.array(there, _TRIALS.get(name, pa.float64()))
    kind = _kind([value for value in values if value is not ABSENT])
    if kind is None:
        return pa.array([_text(value) for value in values], pa.string())
    if pa.types.is_floating(kind):  # arrow itself makes none of integers that no float is equal to
        there = [None if value is None else float(value) for value in there]
    return pa.array(there, kind)


def _kind(values: Sequence[Any]) -> pa.DataType | None:
    """Of a parameter's column; None where there is none for all of its values."""
    types = {type(value) for value in values}
    if int in types and not all(abs(value) <= LARGEST_INT for value in values if type(value) is int):
        return None
    for kind, of in ((pa.bool_(), {bool}), (pa.int64(), {int}), (pa.float64(), {int, float}), (pa.string(), {str})):
        if types <= of:
            return kind
    return None


def _text(value: object) -> str | None:
    if value is ABSENT or isinstance(value, str):
        return None if value is ABSENT else value
    return json.dumps(value, ensure_ascii=False)
