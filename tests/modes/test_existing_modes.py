"""The modes that look at studies which are there: list, export, stop, doctor; and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command_line import run
from study_folders import hold_as, make_study

from raytune_nn.modes import stop
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal, read_journal
from raytune_nn.store.record import BY_HAND
from raytune_nn.store.stop_requests import STUDY, StopListener

NAMES = ("study.name=first",)


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_studies_are_listed(here: Path, dead: int) -> None:
    make_study(here / "studies" / "first")
    running, _ = make_study(here / "studies" / "second", status="running")
    hold_as(running, None)
    killed, _ = make_study(here / "studies" / "third", status="running")
    hold_as(killed, dead)
    (here / "studies" / "other").mkdir()
    ran = run("mode=list")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["status", "dead", "running", "complete"]
    assert [line.split()[-1] for line in lines[1:4]] == ["third", "second", "first"]
    assert "3  0.75 val_acc" in lines[3]


def test_a_storage_without_studies(here: Path) -> None:
    ran = run("mode=list")
    assert (ran.code, ran.out) == (0, "no study in studies; +search=asha study.name=first begins one\n")
    (here / "file").write_text("x")
    ran = run("mode=list", "study.storage=file")
    assert (ran.code, ran.rule) == (2, "study.storage must be a folder or a bucket that can be read")
    assert [path.name for path in here.iterdir()] == ["file"]


def test_a_study_becomes_a_database_tables_and_texts(here: Path) -> None:
    folder, _ = make_study(here / "studies" / "first")
    ran = run("mode=export", *NAMES)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == "3 trials in the Optuna study first"
    assert ran.out.splitlines()[2] == f"dashboard   optuna-dashboard sqlite:///{folder.path}/optuna.db"
    assert run("mode=export", *NAMES).code == 0, "again"
    assert run("mode=export", "export.to=parquet", *NAMES).out.split() == [
        f"{folder.path}/trials.parquet",
        f"{folder.path}/results.parquet",
    ]
    assert run("mode=export", "export.to=csv", *NAMES).out.split()[1] == f"{folder.path}/results.csv"
    assert run("mode=export", *NAMES, "export.url=sqlite:///mine.db").code == 0
    assert (here / "mine.db").exists()


def test_reports_write_the_tables_anew(here: Path) -> None:
    folder, _ = make_study(here / "studies" / "first")
    ran = run("mode=report", *NAMES)
    assert (ran.code, ran.err) == (0, "")
    assert {"trials.parquet", "results.parquet"} <= {path.name for path in folder.path.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("mode=export",), "mode=export needs the name of a study"),
        (("mode=export", "study.name=nope"), "there must be a study of this name"),
        (("mode=export", "export.to=excel", *NAMES), "export.to must be one of optuna, parquet, csv"),
        (
            ("mode=export", "export.to=csv", "export.url=sqlite:///x.db", *NAMES),
            "export.url is the place of a database",
        ),
        (("mode=export", "export.url=sqlite:///none/x.db", *NAMES), "export.url must be a database of Optuna"),
        (("mode=export", "export.url=none", *NAMES), "export.url must be a URL that SQLAlchemy knows"),
        (("export.url=sqlite:///x.db",), "export.url is read by mode=export only"),
        (("mode=doctor",), "mode=doctor needs the name of a study"),
        (("mode=doctor", "study.name=nope"), "there must be a study of this name"),
        (("mode=doctor", *NAMES), "a study must be of a version whose configuration this one can read"),
        (("mode=docter", *NAMES), "mode must be one of "),
        (("mode=stop",), "mode=stop needs the name of a study"),
        (("mode=stop", "study.name=nope"), "there must be a study of this name"),
        (("mode=stop", *NAMES), "mode=stop wants a study that runs"),
    ],
)
def test_what_is_refused_leaves_nothing(here: Path, arguments: tuple[str, ...], rule: str) -> None:
    make_study(here / "studies" / "first")
    before = sorted(here.rglob("*"))
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.rule.startswith(rule), ran.err
    assert ran.fix
    assert sorted(here.rglob("*")) == before


def test_a_password_is_in_no_message(here: Path) -> None:
    make_study(here / "studies" / "first")
    for arguments in (
        ("mode=export", *NAMES, "export.url=postgresql+psycopg2://u:secret@h/db"),
        ("mode=export", *NAMES, "export.urll=postgresql://u:secret@h/db"),
        ("mode=export", *NAMES, "export.url=postgresql://u:secret@h/db)"),
    ):
        ran = run(*arguments)
        assert ran.code == 2
        assert "secret" not in ran.out + ran.err
        assert "Traceback" not in ran.err


def test_a_study_without_a_trial_is_not_exported(here: Path) -> None:
    folder, _ = make_study(here / "studies" / "first")
    for segment in folder.journal.iterdir():
        segment.write_bytes(segment.read_bytes().splitlines(keepends=True)[0])
    ran = run("mode=export", *NAMES)
    assert (ran.code, ran.rule) == (2, "a study must have a trial to be exported")


@pytest.fixture
def running(here: Path) -> StudyFolder:
    """A study that this process holds, whose trials have ended but one."""
    folder, _ = make_study(here / "studies" / "first", status="running")
    segment = folder.journal / "00000.jsonl"
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:-1]))
    hold_as(folder, None)
    return folder


def answering(folder: StudyFolder, then: str) -> threading.Thread:
    """A driver that hears one request and does this."""

    def drive() -> None:
        with StopListener(folder, lambda: None) as listener:
            ready.set()
            while (what := listener.heard()) is None:
                pass
            journal = Journal(folder.journal)
            journal.append("stop_asked", events=len(list(read_journal(folder.journal))), trial=what)
            if then == "ends":
                journal.append("ended", trial=what, state="stopped", reason=BY_HAND)
            journal.close()
            listener.answer(what)

    ready = threading.Event()
    thread = threading.Thread(target=drive)
    thread.start()
    ready.wait()
    return thread


@pytest.mark.parametrize(
    ("then", "said"), [("goes on", "trial 2 ends at its next report\n"), ("ends", "trial 2 is stopped by hand\n")]
)
def test_a_trial_is_stopped(running: StudyFolder, then: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raytune_nn.store.stop_requests.LOOK_SECONDS", 0.02)
    thread = answering(running, then)
    ran = run("mode=stop", "study.trial=2", *NAMES)
    thread.join()
    assert (ran.code, ran.out, ran.err) == (0, said, "")


def test_a_study_is_stopped(running: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raytune_nn.store.stop_requests.LOOK_SECONDS", 0.02)
    heard: list[str] = []
    with StopListener(running, lambda: heard.append(STUDY)):
        ran = run("mode=stop", *NAMES)
    assert (ran.code, ran.err, heard) == (0, "", [STUDY])
    assert ran.out.splitlines()[0].startswith("the study ends: trials that run save their states")
    assert "resume      python -m raytune_nn +search=asha" in ran.out


def test_trials_that_cannot_be_stopped(running: StudyFolder) -> None:
    ran = run("mode=stop", "study.trial=0", *NAMES)
    assert (ran.code, ran.found) == (2, "trial 0 is complete")
    ran = run("mode=stop", "study.trial=7", *NAMES)
    assert (ran.code, ran.found) == (2, "7; it has trials 0 to 2")


def test_a_driver_that_does_not_answer(running: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(stop, "PATIENCE_SECONDS", 0.2)
    ran = run("mode=stop", "study.trial=2", *NAMES)
    said, _, ran_err = ran.err.partition("\n")
    assert (ran.code, said) == (4, "waiting up to 0.4 s for the driver's answer")
    assert ran_err.startswith("raytune_nn: the driver of a study must answer")
    assert f"pid {os.getpid()}" in ran.found
    assert not (running.path / ".stop").exists(), "the request is taken back"


def test_a_driver_that_is_gone(running: StudyFolder, dead: int) -> None:
    hold_as(running, dead)
    ran = run("mode=stop", *NAMES)
    assert (ran.code, ran.found) == (2, "the driver of first is gone without a word")
    assert "study.name=first, which goes on with it" in ran.fix


def test_a_config_that_is_damaged(running: StudyFolder) -> None:
    for text in ("{", "[1]", "objective: {metric: 3}", json.dumps({"objective": {"metric": "a", "modee": "max"}})):
        running.config.write_text(text)
        ran = run("mode=report", *NAMES)
        assert (ran.code, "Traceback" in ran.err) == (2, False), ran.err
        ran = run("mode=doctor", *NAMES)
        assert (ran.code, "Traceback" in ran.err) == (2, False), ran.err
