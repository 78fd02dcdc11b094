"""A study's name and storage lead nowhere but to a folder of its own; whatever else they are, nothing is created."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Ran, refused, run

from raytune_nn.errors import ConfigError
from raytune_nn.modes.preflight import preflight
from raytune_nn.store.locate import LONGEST_NAME, locate_study

ELSEWHERE = ["../x", "/tmp/x", "a/../../x", "a\\..\\x", "..", ".", "", "//", "a/"]
UNREADABLE = ["a\0b", "a\nb", "a\rb", "a\tb", "\x1b[31mred", "\u202etxt", "\ud800", "a\u2028b", "\x7f", " a", "a "]
MODES = ["mode=run", "mode=plan", "mode=report", "mode=reproduce"]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def refused_name(name: str, *more: str) -> Ran:
    return refused(f"study.name={quoted(name)}", *more, task=preflight)


@pytest.mark.parametrize("name", [*ELSEWHERE, *UNREADABLE], ids=ascii)
def test_a_name_is_a_plain_one(name: str, here: Path) -> None:
    with pytest.raises(ConfigError, match=r"study\.name must be a plain folder name") as raised:
        locate_study("studies", name)
    assert str(raised.value).isascii()
    if name == "../x":
        ran = refused_name(name)
        assert (ran.rule, ran.fix) == ("study.name must be a plain folder name", "study.name=first")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("mode", MODES)
def test_in_every_mode(mode: str, here: Path) -> None:
    ran = run('study.name="../x"', mode)
    assert (ran.code, ran.rule) == (2, "study.name must be a plain folder name")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_name_has_an_end(letter: str, here: Path) -> None:
    longest = letter * (LONGEST_NAME // len(letter.encode()))
    assert locate_study("studies", longest).create() != []
    ran = refused_name(longest + letter)
    assert ran.rule == f"study.name must be of {LONGEST_NAME} bytes at most"
    assert [path.name for path in here.iterdir()] == ["studies"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_not_followed(there: bool, here: Path) -> None:
    (here / "studies").mkdir()
    if there:
        (here / "precious").mkdir()
        (here / "precious" / "summary.json").write_text(
            '{"status": "invalid"}'
        )  # what makes a folder free to be removed
    (here / "studies" / "first").symlink_to(here / "precious")
    ran = refused_name("first")
    assert ran.rule == "a study's folder must not be a link"
    assert str(here / "precious") in ran.found
    assert [path.name for path in (here / "precious").rglob("*")] == (["summary.json"] if there else [])


def test_a_file_is_no_study(here: Path) -> None:
    (here / "studies").mkdir()
    (here / "studies" / "first").write_text("mine")
    assert refused_name("first").rule == "study.name must be that of a folder"
    assert (here / "studies" / "first").read_text() == "mine"


@pytest.mark.parametrize("storage", ["a\0b", "a\nb", "ftp://bucket", "s3://bucket/../c", "x" * 300, "y/" * 3000])
def test_a_storage_is_a_path(storage: str, here: Path) -> None:
    ran = refused(f"study.storage={quoted(storage)}", task=preflight)
    assert ran.rule.startswith("study.storage must be")
    assert list(here.iterdir()) == []
