from __future__ import annotations

from pathlib import Path

import pytest

from raytune_nn.store.files import Files
from raytune_nn.store.retry import Retry
from raytune_nn.trial import run_upload
from raytune_nn.trial.run_upload import RunUpload

OLD, NEW = "events.out.tfevents.100.host.1.0", "events.out.tfevents.200.host.2.0"


class Shelf(Files):
    """Counts what is published; what the others see is a mapping."""

    is_remote = True

    def __init__(self) -> None:
        self.seen: dict[str, bytes] = {}
        self.published: list[str] = []
        self.refuses = False

    def publish(self, *paths: Path) -> None:
        if self.refuses:
            raise OSError("away")
        for path in paths:
            self.published.append(path.name)
            self.seen[path.name] = path.read_bytes()

    def names(self, folder: Path) -> list[str]:
        return list(self.seen)

    def fetch_folder(self, folder: Path, but: object = ()) -> None:
        folder.mkdir(exist_ok=True)
        for name, content in self.seen.items():
            (folder / name).write_bytes(content)

    def remove(self, path: Path) -> None:
        self.seen.pop(path.name, None)


def test_only_what_has_changed_is_sent(tmp_path: Path) -> None:
    shelf = Shelf()
    upload = RunUpload(shelf, tmp_path, Retry())
    (tmp_path / NEW).write_bytes(b"1")
    upload.send()
    upload.send()
    assert shelf.published == [NEW]
    (tmp_path / NEW).write_bytes(b"12")
    upload.send()
    assert (shelf.published, shelf.seen) == ([NEW, NEW], {NEW: b"12"})


def test_a_report_sends_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    upload = RunUpload(shelf, tmp_path, Retry())
    (tmp_path / NEW).write_bytes(b"1")
    upload.send_now_and_then()
    assert shelf.published == []
    monkeypatch.setattr(run_upload, "SEND_SECONDS", 0.0)
    upload.send_now_and_then()
    assert shelf.published == [NEW]


def test_a_store_that_is_away_is_waited_for_at_the_end_only(tmp_path: Path) -> None:
    shelf = Shelf()
    upload = RunUpload(shelf, tmp_path, Retry())
    (tmp_path / NEW).write_bytes(b"1")
    shelf.refuses = True
    upload.send()
    with pytest.raises(OSError, match="away"):
        upload.finish()
    shelf.refuses = False
    upload.finish()
    assert shelf.seen == {NEW: b"1"}


def test_last_words_of_an_earlier_attempt_do_not_stay(tmp_path: Path) -> None:
    shelf = Shelf()
    early, late = tmp_path / "early", tmp_path / "late"
    early.mkdir()
    (early / OLD).write_bytes(b"1")
    first = RunUpload(shelf, early, Retry())
    first.send()
    second = RunUpload(shelf, late, Retry())
    second.fetch()
    (late / OLD).unlink()  # cut, as `cut_after` does
    (late / NEW).write_bytes(b"2")
    second.send()
    assert shelf.seen == {NEW: b"2"}
    (early / OLD).write_bytes(b"1, and its end")
    first.finish()
    assert set(shelf.seen) == {OLD, NEW}, "an attempt removes nothing that is newer"
    second.finish()
    assert shelf.seen == {NEW: b"2"}
