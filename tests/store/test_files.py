from __future__ import annotations

from pathlib import Path

import pytest
from places import PLACES, View, views

from raytune_nn.store.folder import StudyFolder


@pytest.fixture(params=PLACES)
def view(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> View:
    return views(request.param, tmp_path, monkeypatch)


def read(there: StudyFolder, name: str) -> bytes:
    there.files.fetch(there.path / name)
    return (there.path / name).read_bytes()


def test_others_see_what_was_written(view: View) -> None:
    here, there = view("one"), view("two")
    here.files.write(here.path / "a" / "b", lambda file: file.write(b"1"), durable=True)
    assert there.files.has(there.path / "a" / "b")
    assert there.files.names(there.path) == ["a"]
    assert there.files.names(there.path / "a") == ["b"]
    assert read(there, "a/b") == b"1"


def test_a_write_that_fails_leaves_what_was_there(view: View) -> None:
    here, there = view("one"), view("two")
    here.files.write(here.path / "a", lambda file: file.write(b"1"))

    def fail(file: object) -> None:
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        here.files.write(here.path / "a", fail)
    assert read(there, "a") == b"1"
    assert there.files.names(there.path) == ["a"]


def test_a_folder_is_published_as_it_is(view: View) -> None:
    here, there = view("one"), view("two")
    (here.path / "best" / "more").mkdir(parents=True)
    (here.path / "best" / "old").write_text("1")
    here.files.publish(here.path / "best")
    (here.path / "best" / "old").unlink()
    (here.path / "best" / "more" / "new").write_text("2")
    here.files.publish(here.path / "best")
    there.files.fetch_folder(there.path / "best")
    found = [path.relative_to(there.path).as_posix() for path in (there.path / "best").rglob("*") if path.is_file()]
    assert found == ["best/more/new"]


def test_a_second_name_outlives_the_first_and_replaces_what_has_it(view: View) -> None:
    here, there = view("one"), view("two")
    here.files.write(here.path / "x" / "a", lambda file: file.write(b"1"))
    here.files.write(here.path / "x" / "b", lambda file: file.write(b"2"))
    here.files.copy(here.path / "x" / "a", here.path / "x" / "b")
    here.files.remove(here.path / "x" / "a")
    here.files.remove(here.path / "x" / "a")  # which is gone
    assert read(there, "x/b") == b"1"
    assert there.files.names(there.path / "x") == ["b"]


def test_a_removed_folder_is_gone_for_all(view: View) -> None:
    here, there = view("one"), view("two")
    for name in ("a/1", "a/b/2", "c"):
        here.files.write(here.path / name, lambda file: file.write(b"1"))
    there.files.remove_folder(there.path / "a")
    assert here.files.names(here.path) == ["c"]
    assert here.files.names(here.path / "a") == []


def test_only_an_empty_folder_is_pruned(view: View) -> None:
    here = view("one")
    here.files.write(here.path / "a" / "1", lambda file: file.write(b"1"))
    here.files.prune(here.path / "a")
    assert here.files.has(here.path / "a" / "1")
    here.files.remove(here.path / "a" / "1")
    here.files.prune(here.path / "a")
    assert here.files.names(here.path) == []
