"""`mode=report` on whatever is there: it writes the page, or says in one message why it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import compose, run

from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal

REPORT = ("mode=report", "study.name=first")


class Left:
    """What a driver left of a study, event by event."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = StudyFolder(folder / "studies" / "first")
        self.folder.create()
        config = compose("+search=random", "study.name=first").config
        self.folder.config.write_text(yaml.safe_dump({**config, **more}))
        self.folder.space.write_text(yaml.safe_dump(config["search_space"]))
        self.journal = Journal(self.folder.journal)
        self.tell("opened", name="first", torn=0, command="python -m raytune_nn +search=random", versions={})

    def tell(self, type: str, **fields: Any) -> None:
        self.journal.append(type, **fields)

    def suggest(self) -> Left:
        self.tell("suggested", trial="0", params={"optimizer.lr": 0.1})
        self.tell("started", trial="0", slot=0)
        return self

    def train(self) -> Left:
        self.suggest().tell("reported", trial="0", epoch=1, step=1, seconds=1.0, metrics={"val_acc": 0.5})
        return self

    def end(self) -> Left:
        self.train().tell("ended", trial="0", state="complete", reason="")
        self.tell("closed", status="complete", reason="")
        self.journal.close()
        return self


def test_it_writes_the_page_and_says_where_it_is(here: Path) -> None:
    left = Left(here).end()
    ran = run(*REPORT)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "report      studies/first/report.html"
    assert "Trial 0 won with val_acc = 0.5" in left.folder.report.read_text()
    assert left.folder.status() == "complete"
    assert "mode=reproduce" in ran.out


def test_a_study_that_runs_has_a_page_and_nothing_else_is_touched(here: Path) -> None:
    left = Left(here).train()
    ran = run(*REPORT)
    assert ran.code == 0, ran.err
    assert "Trial 0 leads so far" in left.folder.report.read_text()
    assert left.folder.status() is None, "its driver writes that"
    assert "mode=reproduce" not in ran.out, "there is no winner yet"


@pytest.mark.parametrize("trials", [0, 1])
def test_without_a_result_the_page_is_written_and_the_exit_code_is_2(trials: int, here: Path) -> None:
    left = Left(here).suggest() if trials else Left(here)
    ran = run(*REPORT)
    assert (ran.code, ran.rule) == (2, "a study must have a result before it can be shown")
    assert ran.found.startswith(f"{trials} trial{'s' if trials != 1 else ''} in {left.folder.place}")
    assert "study.name=first" in ran.fix
    assert "No trial has a value" in left.folder.report.read_text()


def test_a_half_written_line_is_left_out(here: Path) -> None:
    left = Left(here).train()
    segment = left.journal.path
    segment.write_bytes(segment.read_bytes() + b'0badc0de {"type":"rep')
    ran = run(*REPORT)
    assert ran.code == 0, ran.err
    assert "Trial 0 leads so far" in left.folder.report.read_text()


def test_settings_of_another_version_are_left_out(here: Path) -> None:
    left = Left(here, search_knob=7).end()
    ran = run(*REPORT)
    assert ran.code == 0, ran.err
    assert "Its config.yaml is of another version" in left.folder.report.read_text()


def test_events_of_another_version_are_refused(here: Path) -> None:
    left = Left(here)
    left.tell("suggested", id=0, values=[0.1])
    ran = run(*REPORT)
    assert (ran.code, ran.rule) == (2, "a study must be of a version whose journal this one can read")
    assert not left.folder.report.exists()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("objective: {}", "a study's config.yaml must say what is optimised"),
        ("objective: 3", "a study's config.yaml must say what is optimised"),
        ("[1, 2]", "a study's config.yaml must be as it was written"),
        ("a: [", "a study's config.yaml must be as it was written"),
        ("", "a study's config.yaml must be as it was written"),
    ],
)
def test_a_configuration_that_says_nothing_is_refused(text: str, rule: str, here: Path) -> None:
    left = Left(here).end()
    left.folder.config.write_text(text)
    ran = run(*REPORT)
    assert (ran.code, ran.rule) == (2, rule), ran.err


def test_a_folder_that_is_no_study_is_refused_and_left_as_it_is(here: Path) -> None:
    folder = here / "studies" / "first"
    folder.mkdir(parents=True)
    (folder / "notes.json").write_text(json.dumps({}))
    ran = run(*REPORT)
    assert (ran.code, ran.rule) == (2, "there must be a study of this name")
    assert [path.name for path in folder.iterdir()] == ["notes.json"]
