"""Warnings while a study runs: when a trial is looked at, what is said, and that nothing piles up."""

from __future__ import annotations

import io
import re

import pytest
from made_findings import CONFIG
from made_records import Told, make_settings
from rich.console import Console

from raytune_nn.report import live_doctor
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import History
from raytune_nn.report.live import LiveView
from raytune_nn.report.live_doctor import NAMED_TRIALS, LiveDoctor


class Rules:
    """In place of those of the doctor: a falling curve is over-fitted, a NaN diverged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks: list[tuple[str, int]] = []  # trial, reports
        monkeypatch.setattr(live_doctor, "diagnose_trial", self)

    def __call__(self, history: History) -> list[Finding]:
        self.looks.append((history.id, len(history.epochs)))
        falls = [epoch for epoch, value in zip(history.epochs, history.curve, strict=True) if value < 0.5]
        nans = [epoch for epoch, value in zip(history.epochs, history.curve, strict=True) if value != value]
        found = [Finding(Kind.over_fitting, falls[0], "below 0.5", "model.net.dropout=0.3", "")] if falls else []
        return found + ([Finding(Kind.divergence, nans[0], "NaN", "optimizer.lr=0.1", "")] if nans else [])


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Rules:
    return Rules(monkeypatch)


def doctor_of(told: Told, copies: bool = False) -> LiveDoctor:
    doctor = LiveDoctor(told.record.objective, CONFIG, copies)
    doctor.heard(told.open())
    return doctor


def hear(doctor: LiveDoctor, told: Told, *values: float, end: str | None = "complete") -> list[str]:
    return [line for event in told.trial(*values, end=end) for line in doctor.heard(event)]


def test_a_trial_is_looked_at_when_its_reports_have_doubled_and_at_its_end(rules: Rules) -> None:
    told = Told()
    doctor = doctor_of(told)
    hear(doctor, told, *[0.9] * 19)
    assert rules.looks == [("0", 4), ("0", 8), ("0", 16), ("0", 19)]
    hear(doctor, told, *[0.9] * 8)
    hear(doctor, told, 0.9)
    hear(doctor, told)
    assert rules.looks[4:] == [("1", 4), ("1", 8), ("2", 1)], "not again where nothing came since, nor without a report"


def test_each_kind_is_said_once_a_trial(rules: Rules) -> None:
    told = Told()
    lines = hear(doctor_of(told), told, 0.9, 0.9, 0.4, *[0.3] * 20, float("nan"), end="diverged")
    assert lines == [
        "doctor  trial 0: over-fitting since epoch 3 (below 0.5), try model.net.dropout=0.3",
        "doctor  trial 0: divergence since epoch 24 (NaN), try optimizer.lr=0.1",
    ]


def test_of_many_trials_the_first_few_are_named(rules: Rules) -> None:
    told = Told()
    doctor = doctor_of(told)
    lines = [line for _ in range(9) for line in hear(doctor, told, 0.4)]
    assert [line.split(",")[0] for line in lines[:NAMED_TRIALS]] == [
        f"doctor  trial {number}: over-fitting since epoch 1 (below 0.5)" for number in range(NAMED_TRIALS)
    ]
    assert lines[NAMED_TRIALS:] == ["doctor  over-fitting in trial 3, too; mode=doctor lists such trials from here on"]
    assert doctor.lines == ["trial 8 and 8 more: over-fitting since epoch 1 (below 0.5), try model.net.dropout=0.3"]


def test_the_newest_kind_stands_first(rules: Rules) -> None:
    told = Told()
    doctor = doctor_of(told)
    hear(doctor, told, 0.4)
    hear(doctor, told, float("nan"))
    assert [line.split(":")[1].split(" since")[0] for line in doctor.lines] == [" divergence", " over-fitting"]


@pytest.mark.parametrize("copies", [False, True])
def test_reports_of_ended_trials_stay_only_where_others_may_go_on_from_them(copies: bool, rules: Rules) -> None:
    told = Told()
    doctor = doctor_of(told, copies)
    hear(doctor, told, 0.9, 0.9)
    hear(doctor, told, 0.9, end=None)
    assert list(doctor._histories) == (["0", "1"] if copies else ["1"])


def test_trials_of_an_earlier_driver_are_left_out(rules: Rules) -> None:
    told = Told()
    told.tell("suggested", trial="0", params={})
    doctor = doctor_of(told)
    for event in (
        told.tell("started", trial="0"),
        told.tell("reported", trial="0", epoch=1, seconds=1.0, metrics={"val_acc": 0.4}),
        told.tell("ended", trial="0", state="complete"),
    ):
        assert doctor.heard(event) == []
    assert rules.looks == []


def test_a_fault_of_the_doctor_ends_its_warnings_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(history: History) -> list[Finding]:
        raise ZeroDivisionError("no")

    monkeypatch.setattr(live_doctor, "diagnose_trial", fail)
    told = Told()
    doctor = doctor_of(told)
    assert hear(doctor, told, 0.4) == ["doctor  gives no more warnings: ZeroDivisionError: no"]
    assert hear(doctor, told, 0.4) == []


def shown(verbose: int, terminal: bool, width: int = 80) -> str:
    """What a study of one ill trial leaves on a console, without what moves the cursor."""
    console = Console(file=io.StringIO(), width=width, height=30, force_terminal=terminal, color_system=None)
    told = Told()
    doctor = LiveDoctor(told.record.objective, CONFIG, copies=False)
    with LiveView(make_settings(verbose), 4, console, doctor=doctor) as view:
        view.heard(told.open(), told.record)
        for event in told.trial(0.4, end="complete"):
            view.heard(event, told.record)
        view._draw()
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", console.file.getvalue())


def test_plain_lines_and_the_table_show_it_and_the_result_alone_does_not(rules: Rules) -> None:
    said = "doctor  trial 0: over-fitting since epoch 1 (below 0.5), try model.net.dropout=0.3"
    assert said in shown(1, terminal=False).splitlines()
    assert shown(2, terminal=True).count("over-fitting") == 1
    assert shown(0, terminal=False) == ""
    table = shown(1, terminal=True)
    assert "doctor  trial 0: over-fitting since epoch 1 (below 0.5), try" in table
    assert "model.net.dropout=0.3" in shown(1, terminal=True, width=40)
