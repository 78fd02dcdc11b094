"""What people see of a study whose trials train folds."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_records import Told, make_settings
from rich.console import Console

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.report.live import LiveView
from raytune_nn.report.tables import rank, trials_table, winner
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord


class Folded(Told):
    """Of three folds of nine epochs; a report is (mean, standard deviation)."""

    def __init__(self) -> None:
        super().__init__()
        self.record = StudyRecord(Objective("val_acc", True, Take.best, folds=3))

    def folds(self, *means: float, end: str | None = "complete") -> Iterator[Event]:
        trial = str(len(self.record.trials))
        yield self.tell("suggested", trial=trial, params={"optimizer.lr": 0.1})
        yield self.tell("started", trial=trial)
        for fold, value in enumerate(means, start=1):
            metrics = {"val_acc": value} if fold == 1 else {"val_acc": value, "val_acc_std": 0.0123456}
            yield self.tell("reported", trial=trial, epoch=9 * fold, seconds=1.0, metrics=metrics)
        if end:
            yield self.tell("ended", trial=trial, state=end, reason="", error="")


@pytest.fixture
def told() -> Folded:
    told = Folded()
    told.open()
    for means, end in (([0.99], "stopped"), ([0.5, 0.96, 0.9712345], "complete"), ([0.8, 0.7, 0.6], "complete")):
        list(told.folds(*means, end=end))
    return told


def test_the_winner_has_its_deviation(told: Folded, tmp_path: Path) -> None:
    assert winner(told.record, StudyFolder(tmp_path)).splitlines()[1:4] == [
        "best  trial 1: val_acc = 0.971235 ± 0.012 over 3 folds",
        "      optimizer.lr = 0.1",
        "",
    ]


def test_the_best_of_all_folds_stands_above_the_mean_of_one(told: Folded) -> None:
    assert [trial.id for trial in rank(told.record)] == ["1", "2", "0"]
    lines = trials_table(told.record).splitlines()
    assert lines == [
        " trial  state                    val_acc  epochs  seconds  parameters",
        "     1  complete        0.971235 ± 0.012      27      1.0  optimizer.lr=0.1",
        "     2  complete             0.6 ± 0.012      27      1.0  optimizer.lr=0.1",
        "     0  stopped                     0.99       9      1.0  optimizer.lr=0.1",
    ]


def test_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raytune_nn.report.live.REFRESH_SECONDS", 0.0)
    told, file = Folded(), io.StringIO()
    console = Console(file=file, width=100, height=30, force_terminal=True, color_system=None)
    with LiveView(make_settings(max_epochs=9), 4, console) as view:
        view.heard(told.open(), told.record)
        for means, end in (([0.9], "stopped"), ([0.5, 0.6, 0.7], "complete"), ([0.8, 0.75], None)):
            for event in told.folds(*means, end=end):
                view.heard(event, told.record)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).rpartition("running")[2]
    rows = [line.split() for line in last.splitlines() if "optimizer" in line or "lr=" in line]
    assert rows == [
        ["2", "0.75", "±", "0.012", "█▁", "18/27", "lr=0.1"],
        ["best", "1", "0.7", "±", "0.012", "▁▅█", "27/27", "lr=0.1"],
    ], "the stopped trial cannot be the best"


def test_a_new_best_is_a_line() -> None:
    told, file = Folded(), io.StringIO()
    with LiveView(make_settings(), 4, Console(file=file, width=100)) as view:
        view.heard(told.open(), told.record)
        for event in (*told.folds(0.9, end="stopped"), *told.folds(0.5, 0.6, 0.7)):
            view.heard(event, told.record)
    assert "best val_acc = 0.7 ± 0.012 (trial 1)" in file.getvalue()
    assert "0.9" not in file.getvalue()
