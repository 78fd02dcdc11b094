"""The study folder: what is there, what may be there, and files that are whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.folder import StudyFolder, write_json, write_text, write_yaml
from raytune_nn.store.journal import Journal
from raytune_nn.store.locate import check_storage, locate_study


def everything_in(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*"))


def test_a_study_lies_under_its_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert locate_study("studies", "first").path == tmp_path / "studies" / "first"
    assert locate_study("a/../b/", "first").path == tmp_path / "b" / "first"
    assert locate_study("~/s", "first").path == tmp_path / "home" / "s" / "first"
    assert locate_study("studies", "first").name == "first"
    assert everything_in(tmp_path) == []


def test_the_files_of_a_study_have_the_names_that_users_rely_on(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    paths = [folder.summary, folder.config, folder.space, folder.journal, folder.trials]
    paths += [folder.tensorboard, folder.checkpoints, folder.best]
    names = "summary.json config.yaml space.yaml journal trials.csv tb checkpoints best"
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == names.split()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/etc", "a\\b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"study\.name must be a plain folder name"):
        locate_study(str(tmp_path), name)


def test_a_storage_that_is_no_path_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"study\.storage must be the path of a folder"):
        locate_study("ftp://bucket/studies", "first")


@pytest.mark.parametrize("name", ["first", "2026-11-20_17-05-33_asha", "ünï 🙂", "...", ".hidden", "a=1,b"])
def test_any_other_name_is_one_folder(name: str, tmp_path: Path) -> None:
    folder = locate_study(str(tmp_path), name)
    folder.create()
    assert everything_in(tmp_path) == [name]


def test_a_study_exists_from_the_first_line_of_its_journal_on(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    assert not folder.exists
    folder.create()
    assert not folder.exists
    journal = Journal(folder.journal)
    assert not folder.exists, "killed before it wrote anything"
    journal.append("opened")
    journal.close()
    assert folder.exists


def test_the_status_is_that_of_the_summary(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assert folder.status() is None
    write_json(folder.summary, {"status": "complete"})
    assert folder.status() == "complete"


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", "3", '"status"', "\xff"])
def test_a_summary_that_is_none_has_no_status(text: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_bytes(text.encode("latin-1"))
    assert StudyFolder(tmp_path).status() is None


@pytest.mark.parametrize(("status", "kept"), [("invalid", False), ("complete", True), ("interrupted", True)])
def test_an_invalid_study_gives_its_name_up_and_no_other_does(status: str, kept: bool, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    write_json(folder.summary, {"status": status})
    (folder.path / "tb").mkdir()
    (folder.path / ".lease").write_text("mine")
    assert (folder.path in folder.create()) is not kept
    folder.clear_invalid(kept=".lease")
    assert everything_in(folder.path) == ([".lease", "summary.json", "tb"] if kept else [".lease"])


def test_what_was_made_can_be_taken_away_again(tmp_path: Path) -> None:
    folder = locate_study(str(tmp_path / "lab" / "studies"), "a")
    made = folder.create()
    assert made == [tmp_path / "lab", tmp_path / "lab" / "studies", folder.path]
    (folder.path / "file").touch()
    folder.remove(made)
    assert list(tmp_path.iterdir()) == []
    made = folder.create()
    (tmp_path / "lab" / "notes").touch()  # somebody else's
    folder.remove(made)
    assert list(tmp_path.rglob("*")) == [tmp_path / "lab", tmp_path / "lab" / "notes"]
    assert folder.create() == [folder.path.parent, folder.path]


def test_a_folder_that_cannot_be_made_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableError, match="Not a directory"):
        StudyFolder(tmp_path / "file" / "s").create()


def test_checking_the_storage_leaves_nothing(tmp_path: Path) -> None:
    for storage in (tmp_path, tmp_path / "new", tmp_path / "new" / "deep" / "er"):
        check_storage(str(storage))
    assert everything_in(tmp_path) == []


def test_a_storage_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for storage in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="must be a folder"):
            check_storage(str(storage))
    assert (tmp_path / "file").read_text() == "kept"


def test_a_storage_that_takes_no_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be writable") as caught:
        check_storage("/proc/studies")
    assert caught.value.fix == "study.storage=<a folder of yours>"


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "text"
    write_text(path, "old")
    seen: list[tuple[str, str]] = []
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        seen.append((path.read_text(), Path(source).read_text()))
        real(source, target)

    monkeypatch.setattr("os.replace", replace)
    write_text(path, "new")
    assert seen == [("old", "new")], "until it is renamed the old one stands"
    assert path.read_text() == "new"
    assert everything_in(tmp_path) == ["deep", "deep/text"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text"
    write_text(path, "old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(UnusableError, match="No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old"


@pytest.mark.parametrize("tree", [{"b": [1, None, "ü"], "a": {"x": 1e-05, "y": "1e-5", "z": "null"}}, {}, []])
def test_yaml_comes_back_with_its_types_and_order(tree: Any, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    write_yaml(path, tree, header="# said first\n")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# said first\n")
    assert yaml.safe_load(text) == tree
    if "b" in tree:
        assert list(yaml.safe_load(text)) == ["b", "a"]
        assert "ü" in text


def test_json_comes_back(tmp_path: Path) -> None:
    tree = {"b": [1, None, "ü"], "a": 0.1}
    write_json(tmp_path / "file.json", tree)
    assert json.loads((tmp_path / "file.json").read_text()) == tree
