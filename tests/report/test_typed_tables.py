"""The tables of a study with types: what pandas and other programs read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from made_records import Told

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.report import typed_tables
from raytune_nn.report.typed_tables import typed_reports, typed_trials
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial_table import trial_columns


def trials_of(*params: dict[str, Any]) -> pa.Table:
    told = Told()
    for each in params:
        told.add(0.5, params=each)
    return typed_trials(told.record)


@pytest.mark.parametrize(
    ("values", "kind", "stored"),
    [
        ([True, False], pa.bool_(), [True, False]),
        ([1, 2], pa.int64(), [1, 2]),
        ([0.5, 2.0], pa.float64(), [0.5, 2.0]),
        ([1, 0.5, 2**60 + 1], pa.float64(), [1.0, 0.5, float(2**60)]),
        (["relu", "64"], pa.string(), ["relu", "64"]),
        ([64, "auto"], pa.string(), ["64", "auto"]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([None, 0.5], pa.string(), ["null", "0.5"]),
        ([None], pa.string(), ["null"]),
        ([[64, 64], [32]], pa.string(), ["[64, 64]", "[32]"]),
        ([{"name": "gelu"}, "ü"], pa.string(), ['{"name": "gelu"}', "ü"]),
        ([2**70, 1], pa.string(), [str(2**70), "1"]),
    ],
)
def test_a_column_has_the_type_of_all_values_and_else_that_of_texts(
    values: list[Any], kind: pa.DataType, stored: list[Any]
) -> None:
    table = trials_of(*({"x": value} for value in values), {})
    assert table.schema.field("params.x").type == kind
    assert table["params.x"].to_pylist() == [*stored, None], "and what a trial has not is missing"


def test_the_columns_are_those_of_the_text() -> None:
    objective = Objective("val_acc", True, Take.best, further=(Goal("loss", False),))
    told = Told()
    told.record = StudyRecord(objective)
    told.tell("suggested", trial="0", params={"lr": 0.1})
    told.tell("started", trial="0")
    told.tell("reported", trial="0", epoch=1, seconds=1.25, metrics={"val_acc": 0.5, "loss": 2.0})
    told.tell("ended", trial="0", state="complete")
    told.tell("suggested", trial="1", params={})
    table = typed_trials(told.record)
    assert table.column_names == list(trial_columns(told.record))
    assert table.to_pylist() == [
        {
            "trial": 0,
            "state": "complete",
            "value": 0.5,
            "epochs": 1,
            "seconds": 1.25,
            "params.lr": 0.1,
            "value.loss": 2.0,
            "pareto_front": True,
        },
        {
            "trial": 1,
            "state": "waiting",
            "value": None,
            "epochs": 0,
            "seconds": 0.0,
            "params.lr": None,
            "value.loss": None,
            "pareto_front": False,
        },
    ]


def test_a_study_without_a_trial_has_its_columns() -> None:
    table = trials_of()
    assert (table.num_rows, table.column_names) == (0, ["trial", "state", "value", "epochs", "seconds"])
    assert typed_reports([]).column_names == ["trial", "attempt", "epoch", "step", "time", "seconds", "saved"]


def reports() -> list[Event]:
    """A trial that is trained twice from its beginning, and another one that logs something else."""
    content: Event = {"type": "reported", "step": 21, "seconds": 1.5}
    return [
        {"type": "opened", "time": 0.0},
        {"type": "started", "trial": "0", "time": 1.0},
        {**content, "trial": "0", "time": 2.5, "epoch": 1, "metrics": {"val_acc": 0.5}, "saved": True},
        {"type": "started", "trial": "0", "time": 3.0},
        {**content, "trial": "0", "time": 4.0, "epoch": 1, "metrics": {"val_acc": 0.75}},
        {"type": "started", "trial": "10", "time": 3.0},
        {**content, "trial": "10", "time": 5.0, "epoch": 1, "metrics": {"val_loss": float("nan")}},
    ]


@pytest.mark.parametrize("chunk", [1, 2, 50_000])
def test_one_row_a_report_with_all_metrics(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_tables, "CHUNK", chunk)
    table = typed_reports(reports())
    assert table["trial"].to_pylist() == [0, 0, 10]
    assert table["attempt"].to_pylist() == [1, 2, 1]
    assert table["saved"].to_pylist() == [True, False, False]
    assert table["metrics.val_acc"].to_pylist() == [0.5, 0.75, None]
    assert str(table["metrics.val_loss"].to_pylist()) == "[None, None, nan]"
    assert [time.timestamp() for time in table["time"].to_pylist()] == [2.5, 4.0, 5.0]
    assert {str(table.schema.field(name).type) for name in ("epoch", "step")} == {"int64"}
