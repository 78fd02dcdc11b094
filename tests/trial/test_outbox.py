"""The outbox: what leaves it, in which order, and what becomes of what cannot."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

import pytest
import torch
from slow_storage import SlowStorage, slow_storage

from raytune_nn.errors import InterruptedStudyError, UnusableError
from raytune_nn.store.files import Write
from raytune_nn.store.retry import Retry
from raytune_nn.trial.outbox import MOST, Outbox, node_folder


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowStorage]:
    yield from slow_storage(monkeypatch)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "node").mkdir()
    return tmp_path / "node"


def text(content: str) -> Write:
    return lambda file: file.write(content.encode())


class Left(list[tuple[str, str | None]]):
    """The reports that left, each with what was in a file's place by then."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place = place

    def report(self, name: str) -> Callable[[str], None]:
        def hand_over(lost: str) -> None:
            assert not lost
            self.append((name, self.place.read_text() if self.place.exists() else None))

        return hand_over


def test_each_report_leaves_after_the_file_before_it_and_before_the_next(
    tmp_path: Path, node: Path, storage: SlowStorage
) -> None:
    place = tmp_path / "study" / "7" / "model.ckpt"
    left = Left(place)
    with Outbox(str(node)) as outbox:
        outbox.then(left.report("before"))
        outbox.put(place, text("first"))
        outbox.then(left.report("of the first"))
        outbox.put(place, text("second"))
        outbox.then(left.report("of the second"))
        outbox.then(left.report("after"))
        assert storage.begun.wait(10)
        assert left == [("before", None)], "the training went on, and its reports wait"
        assert not place.exists()
        storage.open.set()
    assert left[1:] == [("of the first", "first"), ("of the second", "second"), ("after", "second")]
    assert os.listdir(place.parent) == ["model.ckpt"]


@pytest.mark.parametrize("on_node", [False, True])
def test_where_nothing_waits_a_report_leaves_at_once_and_no_thread_is_started(
    tmp_path: Path, node: Path, on_node: bool
) -> None:
    outbox, threads, by = Outbox(str(node) if on_node else None), threading.active_count(), list[int]()
    place = tmp_path / "study" / "model.ckpt"
    if not on_node:
        assert outbox.put(place, text("here")).result() == ""
        assert place.read_text() == "here", "on the same filesystem it is in its place at once"
    outbox.then(lambda lost: by.append(threading.get_ident()))
    outbox.drain()
    assert (by, threading.active_count()) == ([threading.get_ident()], threads)
    if on_node:
        outbox.put(place, text("there"))
        outbox.drain()
        outbox.then(lambda lost: by.append(threading.get_ident()))
        assert by == [threading.get_ident()] * 2, "also once everything has left"
    with outbox:
        pass


def test_what_waits_has_no_name_on_the_node_and_is_bounded(tmp_path: Path, node: Path, storage: SlowStorage) -> None:
    written: list[int] = []
    outbox = Outbox(str(node))

    def put(number: int) -> None:
        outbox.put(tmp_path / f"{number}.ckpt", lambda file: written.append(number))

    for number in range(MOST):
        put(number)
    one_more = threading.Thread(target=put, args=(MOST,))
    one_more.start()
    one_more.join(0.2)
    assert one_more.is_alive(), "the training waits"
    assert written == [*range(MOST)]
    assert os.listdir(node) == [], "so that nothing is left of a process that is killed"
    storage.open.set()
    one_more.join(10)
    with outbox:
        pass
    assert written == [*range(MOST + 1)]
    assert sorted(os.listdir(tmp_path)) == [*(f"{number}.ckpt" for number in written), "node"]


@pytest.mark.parametrize("on_node", [False, True])
def test_a_file_that_cannot_be_written_is_the_trainings_error(tmp_path: Path, node: Path, on_node: bool) -> None:
    """Its report does not leave, nor does any after it."""
    place, left = tmp_path / "file" / "model.ckpt", Left(tmp_path / "other")
    place.parent.write_text("no folder")
    outbox = Outbox(str(node) if on_node else None)

    def train() -> None:
        with outbox:
            outbox.put(place, text("model"))
            outbox.then(left.report("of the model"))

    with pytest.raises(OSError, match=r"File exists: '.*/file/model\.ckpt'"):
        train()
    if on_node:  # in the same words to whoever asks
        for ask in (outbox.drain, lambda: outbox.then(left.report("later")), lambda: outbox.put(left.place, text(""))):
            with pytest.raises(FileExistsError):
                ask()
    assert left == []
    assert not left.place.exists()


def test_the_systems_reason_is_told_not_that_of_torch(tmp_path: Path) -> None:
    place = tmp_path / "model.ckpt"
    (tmp_path / ".model.ckpt").symlink_to("/dev/full")
    with pytest.raises(UnusableError, match=r"/model\.ckpt: No space left on device"):
        Outbox().put(place, partial(torch.save, {"weights": torch.ones(10**6)}))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("on_node", [False, True])
def test_a_file_that_is_refused_for_a_while_is_written_again_whole_and_its_report_waits(
    tmp_path: Path, node: Path, on_node: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "journal").mkdir()
    place, told = tmp_path / "checkpoints" / "7" / "model.ckpt", list[str]()
    left, replace = Left(place), os.replace

    def refuse_thrice(source: Path, target: Path) -> None:
        if len(told) < 3:
            raise OSError(errno.ESTALE, "Stale file handle")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse_thrice)
    retry = Retry(tmp_path, 60.0, lambda reason, first: told.append(reason))
    with Outbox(str(node) if on_node else None, retry) as outbox:
        outbox.put(place, text("model"))
        outbox.then(left.report("of the model"))
    assert left == [("of the model", "model")]
    assert told == [f"{place}: Stale file handle"] * 3
    assert os.listdir(place.parent) == ["model.ckpt"]


def test_to_drop_what_waits_ends_the_wait_for_the_storage(tmp_path: Path, node: Path) -> None:
    waits = threading.Event()
    retry = Retry(tmp_path / "gone", 60.0, lambda reason, first: waits.set())
    began = time.monotonic()
    outbox = Outbox(str(node), retry)
    outbox.put(tmp_path / "gone" / "model.ckpt", text("model"))
    assert waits.wait(10)
    outbox.drop()
    with pytest.raises(InterruptedStudyError):
        outbox.drain()
    assert time.monotonic() - began < 10
    assert not (tmp_path / "gone").exists(), "nothing is written where the study was"


def test_an_error_of_the_content_is_raised_as_it_is(tmp_path: Path, node: Path) -> None:
    def write(file: IO[bytes]) -> None:
        raise ZeroDivisionError("mine")

    for folder in (None, str(node)):
        with pytest.raises(ZeroDivisionError, match="mine"):
            Outbox(folder).put(tmp_path / "state", write)
    assert os.listdir(tmp_path) == ["node"]
    assert os.listdir(node) == []


def test_a_file_that_is_not_needed_may_be_missing_and_its_report_is_told(tmp_path: Path, node: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    told: list[str] = []
    with Outbox(str(node)) as outbox:
        arrival = outbox.put(tmp_path / "file" / "state", text("copy"), needed=False)
        outbox.then(told.append)
        outbox.then(told.append)
        assert outbox.put(tmp_path / "model", text("model")).result() == ""
    assert "File exists" in told[0]
    assert told == [arrival.result(), ""]
    assert (tmp_path / "model").read_text() == "model"


def test_without_room_on_the_node_a_file_is_written_straight_behind_what_waits(
    tmp_path: Path, node: Path, storage: SlowStorage
) -> None:
    place, tries = tmp_path / "model", list[str]()

    def no_room_at_first(file: IO[bytes]) -> None:
        tries.append("node" if len(tries) == 0 else "storage")
        file.write(b"second")
        if tries[-1] == "node":
            raise OSError(errno.ENOSPC, "No space left on device")

    with Outbox(str(node)) as outbox:
        outbox.put(place, text("first"))
        later = threading.Timer(0.1, storage.open.set)
        later.start()
        outbox.put(place, no_room_at_first)
        assert place.read_text() == "second"
    assert tries == ["node", "storage"]
    later.join()


def test_what_nobody_wants_any_more_stays(tmp_path: Path, node: Path, storage: SlowStorage) -> None:
    left = Left(tmp_path / "second")
    with Outbox(str(node)) as outbox:
        outbox.put(tmp_path / "first", text("first"))
        outbox.put(tmp_path / "second", text("second"))
        outbox.then(left.report("of the second"))
        assert storage.begun.wait(10)
        outbox.drop()
        storage.open.set()
    assert sorted(os.listdir(tmp_path)) == ["first", "node"]
    assert left == []


def test_files_wait_on_the_node_where_the_study_is_on_another_filesystem(tmp_path: Path) -> None:
    assert node_folder(str(tmp_path)) is None
    assert node_folder(str(tmp_path / "gone")) is None
    with tempfile.TemporaryDirectory(dir="/dev/shm") as share:
        assert os.stat(share).st_dev != os.stat(tmp_path).st_dev, "else the test proves nothing"
        assert node_folder(share) == tempfile.gettempdir()
