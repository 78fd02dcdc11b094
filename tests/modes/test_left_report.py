"""The page that the end of a study leaves: after its last words, and whatever becomes of it, that study ended well."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import InterruptedStudyError, NoSuccessfulTrialError
from raytune_nn.modes import ending
from raytune_nn.modes.ending import show_ending
from raytune_nn.report.page import render
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.interrupt import Signals

COMMAND = "python -m raytune_nn +search=random study.name=first"
PLAN: Any = SimpleNamespace(command=COMMAND, settings=None, space=None, config={})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.chdir(tmp_path)
    folder = StudyFolder(tmp_path / "studies" / "first")
    folder.create()
    return folder


def told(folder: StudyFolder, state: str = "complete", status: str = "complete") -> StudyRecord:
    """The record of a study of one trial."""
    journal = Journal(folder.journal)
    journal.append("opened", name="first", torn=0, command=PLAN.command)
    journal.append("suggested", trial="0", params={"lr": 0.1})
    journal.append("started", trial="0", slot=0)
    journal.append("reported", trial="0", epoch=1, step=1, seconds=1.0, metrics={"val_acc": 0.5})
    journal.append("ended", trial="0", state=state, reason="so", error="E: so")
    journal.append("closed", status=status, reason="")
    journal.close()
    return StudyRecord.fold(Objective("val_acc", True, Take.best), read_journal(folder.journal))


def test_it_is_named_below_the_winner(folder: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    show_ending(PLAN, folder, told(folder), signals=Signals())
    said = capsys.readouterr().out
    assert (
        said.index("best  trial 0") < said.index("reproduce   ") < said.index("report      studies/first/report.html")
    )
    assert "Trial 0 won" in folder.report.read_text()


def test_a_study_that_is_only_shown_again_writes_nothing_and_names_its_page(
    folder: StudyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    searched: Any = SimpleNamespace(**vars(PLAN) | {"settings": SimpleNamespace(search="random")})
    record = told(folder)
    show_ending(searched, folder, record)
    assert not folder.report.exists()
    assert "\nreport      python -m raytune_nn mode=report " in capsys.readouterr().out
    folder.report.write_text("")
    show_ending(searched, folder, record)
    assert capsys.readouterr().out.endswith("\nreport      studies/first/report.html\n")


def test_where_it_cannot_be_made_one_line_says_so(
    folder: StudyFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = told(folder)
    folder.report.mkdir()  # nothing can be put in its place
    show_ending(PLAN, folder, record, signals=Signals())
    said = capsys.readouterr()
    assert "best  trial 0" in said.out
    assert said.err.startswith("raytune_nn: no report.html: UnusableError: the study's folder must stay readable")
    assert said.err.count("\n") == 1


def test_a_study_without_a_winner_has_one_and_its_error_stays(folder: StudyFolder) -> None:
    record = told(folder, "failed", "failed")
    with pytest.raises(NoSuccessfulTrialError):
        show_ending(PLAN, folder, record, signals=Signals())
    assert "No trial has a value" in folder.report.read_text()


def test_an_interrupted_study_ends_without(folder: StudyFolder) -> None:
    record = told(folder, status="interrupted")
    with pytest.raises(InterruptedStudyError):
        show_ending(PLAN, folder, record, signals=Signals())
    assert not folder.report.exists(), "there may be no time for it"


def test_a_very_long_journal_is_read_on_demand_only(
    folder: StudyFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "MOST_BYTES", 100)
    show_ending(PLAN, folder, told(folder), signals=Signals())
    assert not folder.report.exists()
    wanted = "report      python -m raytune_nn mode=report study.storage=studies study.name=first"
    assert capsys.readouterr().out.splitlines()[-1] == wanted


def test_a_signal_meanwhile_leaves_it_unwritten_and_the_study_ended_well(
    folder: StudyFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it goes on")

    monkeypatch.setattr(render, "write_report", slowly)
    with Signals() as signals:
        signals.opening()
        show_ending(PLAN, folder, told(folder), signals=signals)
    assert "best  trial 0" in (said := capsys.readouterr()).out
    assert said.out.splitlines()[-1].startswith("report      python -m raytune_nn mode=report")
    assert (said.err, folder.report.exists()) == ("", False)
