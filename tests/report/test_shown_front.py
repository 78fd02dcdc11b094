"""What a study of several metrics shows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_records import Told, make_settings
from rich.console import Console

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.report.live import LiveView
from raytune_nn.report.tables import SHOWN_TRIALS, rank, trials_table, winner
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord

TWO = Objective("val_acc", True, Take.best, further=(Goal("val_loss", False),))


class Front(Told):
    """A record of accuracies and losses."""

    def __init__(self) -> None:
        super().__init__()
        self.record = StudyRecord(TWO)

    def one(self, value: float, loss: float, end: str = "complete") -> Iterator[Event]:
        """The events of a trial of one epoch."""
        trial = str(len(self.record.trials))
        metrics = {"val_acc": value, "val_loss": loss}
        yield self.tell("suggested", trial=trial, params={"optimizer.lr": 0.5})
        yield self.tell("started", trial=trial)
        yield self.tell("reported", trial=trial, epoch=1, seconds=1.0, metrics=metrics)
        if end:
            yield self.tell("ended", trial=trial, state=end)

    def more(self, *points: tuple[float, float], end: str = "complete", view: LiveView | None = None) -> Front:
        """Trials with these values."""
        for value, loss in points:
            for event in self.one(value, loss, end):
                if view is not None:
                    view.heard(event, self.record)
        return self


@pytest.fixture
def told() -> Front:
    told = Front()
    told.open()
    told.more((0.5, 0.25), (0.8125, 0.75), (0.7, 0.9), (0.4, 0.125))
    return told.more((0.99, float("nan")), end="diverged")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.chdir(tmp_path)
    return StudyFolder(tmp_path / "studies" / "first")


def test_the_front_stands_where_the_winner_would(told: Front, folder: StudyFolder) -> None:
    folder.best.mkdir(parents=True)
    lines = winner(told.record, folder).splitlines()
    assert lines[:8] == [
        "",
        "Pareto front of 3 trials, best first by val_acc",
        "  trial 1: val_acc = 0.8125, val_loss = 0.75 at epoch 1",
        "      optimizer.lr=0.5",
        "  trial 0: val_acc = 0.5, val_loss = 0.25 at epoch 1",
        "      optimizer.lr=0.5",
        "  trial 3: val_acc = 0.4, val_loss = 0.125 at epoch 1",
        "      optimizer.lr=0.5",
    ]
    assert lines[-1] == "model of trial 1, the best by val_acc, in studies/first/best"


def test_a_front_of_one_is_no_plural(folder: StudyFolder) -> None:
    told = Front()
    told.open()
    told.more((0.5, 0.5))
    assert "\nPareto front of 1 trial, best" in winner(told.record, folder)


def test_a_long_front_is_cut(folder: StudyFolder) -> None:
    told = Front()
    told.open()
    told.more(*((place / 100, place / 100) for place in range(SHOWN_TRIALS + 2)))
    lines = winner(told.record, folder).splitlines()
    assert sum(line.startswith("  trial ") for line in lines) == SHOWN_TRIALS
    assert "  … and 2 more in summary.json" in lines


def test_the_table_has_a_column_a_metric_and_marks_the_front(told: Front) -> None:
    head, *lines, legend = trials_table(told.record).splitlines()
    assert head.split() == ["trial", "state", "val_acc", "val_loss", "epochs", "seconds", "parameters"]
    assert [line.split()[:5] for line in lines[:3]] == [
        ["*", "1", "complete", "0.8125", "0.75"],
        ["*", "0", "complete", "0.5", "0.25"],
        ["*", "3", "complete", "0.4", "0.125"],
    ]
    assert [line.split()[:2] for line in lines[3:]] == [["2", "complete"], ["4", "diverged"]]
    assert legend == "* on the Pareto front"
    assert [trial.id for trial in rank(told.record)] == ["1", "0", "3", "2", "4"]
    columns = zip([head, *lines[:3]], ["val_loss", "0.75", "0.25", "0.125"], strict=True)
    ends = {line.index(column) + len(column) for line, column in columns}
    assert len(ends) == 1, "aligned"


def shown(terminal: bool, told: Front, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("time.monotonic", lambda: told.now * 100)  # each drawing and each line is due
    console = Console(file=io.StringIO(), width=110, height=30, force_terminal=terminal, color_system=None)
    with LiveView(make_settings(), 4, console) as view:
        view.heard(told.open(), told.record)
        told.more((0.5, 0.25), (0.8125, 0.75), (0.7, 0.9), view=view)
        told.more((0.375, 0.0625), end="", view=view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_lines_of_a_running_study_count_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line.partition("s  ")[2] for line in shown(False, Front(), monkeypatch).splitlines()[1:]]
    assert lines == [
        "1/4 trials  best val_acc = 0.5, val_loss = 0.25 (trial 0), 1 on the Pareto front",
        "2/4 trials  best val_acc = 0.8125, val_loss = 0.75 (trial 1), 2 on the Pareto front",
        "3/4 trials  best val_acc = 0.8125, val_loss = 0.75 (trial 1), 2 on the Pareto front",
    ]


def test_the_live_table_has_the_front_and_all_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = shown(True, Front(), monkeypatch).rpartition("val_loss")[2]
    rows = [line.split() for line in frame.splitlines()]
    assert ["running", "3", "0.375", "0.0625", "1/9", "lr=0.5"] in rows
    assert ["front", "1", "0.8125", "0.75", "1/9", "lr=0.5"] in rows
    assert ["0", "0.5", "0.25", "1/9", "lr=0.5"] in rows
    assert not any(row[:2] == ["2", "0.7"] for row in rows), "dominated"
