"""A file on a storage that fails now and then: each piece that was acknowledged is in it once, in its order."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytune_nn.errors import UnusableError
from raytune_nn.store.retry import Retry
from raytune_nn.store.steady_file import SteadyFile

WRITE, SYNC = os.pwrite, os.fsync


class Disk:
    """Does what a script says with each write and sync, and all that is asked for once the script is over.

    A number is the bytes of a write that are taken before the disk is full; None takes all.
    """

    def __init__(self, script: list[int | None]) -> None:
        self.script = script

    def write(self, file: int, content: bytes, position: int) -> int:
        step = self.script.pop(0) if self.script else None
        if step is None or step >= len(content):
            return WRITE(file, content, position)
        if step == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return WRITE(file, content[:step], position)

    def sync(self, file: int) -> None:
        if self.script and self.script.pop(0) is not None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        with patch("os.pwrite", self.write), patch("os.fsync", self.sync), patch("raytune_nn.store.retry.FIRST", 0.0):
            yield


steps = st.lists(st.none() | st.integers(0, 12), max_size=30)
calls = st.lists(st.binary(min_size=1, max_size=10) | st.none(), max_size=12)  # a piece to append; None: sync


@settings(max_examples=300, deadline=None)
@given(calls, steps)
def test_with_retries_each_piece_is_there_once(calls: list[bytes | None], script: list[int | None]) -> None:
    with tempfile.TemporaryDirectory() as folder, Disk(script).in_place():
        file = SteadyFile(Path(folder) / "file", Retry(seconds=1e6))
        for piece in calls:
            file.sync() if piece is None else file.append(piece)
        file.close()
        assert (Path(folder) / "file").read_bytes() == b"".join(filter(None, calls))


@settings(max_examples=300, deadline=None)
@given(calls, steps)
def test_without_what_is_acknowledged_stands_first_and_at_most_one_piece_in_part_after_it(
    calls: list[bytes | None], script: list[int | None]
) -> None:
    """At any moment: a process that is killed leaves just that."""
    with tempfile.TemporaryDirectory() as folder, Disk(script).in_place():
        path = Path(folder) / "file"
        file, taken, refused = SteadyFile(path, Retry(seconds=0)), b"", b""
        for piece in calls:
            try:
                file.sync() if piece is None else file.append(piece)
            except UnusableError:
                refused = refused if piece is None else piece
            else:
                taken, refused = taken + (piece or b""), b"" if piece else refused
            content = path.read_bytes()
            assert content.startswith(taken)
            assert refused.startswith(content[len(taken) :])
        script.clear()
        file.append(b"the last")
        assert path.read_bytes() == taken + b"the last"
        file.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, partial(OSError, errno.ENODEV, "the folder is gone")])
def test_a_piece_that_was_written_and_not_acknowledged_leaves_nothing_behind_the_next(
    error: Callable[[], BaseException], tmp_path: Path
) -> None:
    """As where a second signal, or a share that goes, comes between the write and the end of its look at the folder."""
    path = tmp_path / "file"
    (tmp_path / "journal").mkdir()
    file = SteadyFile(path, Retry(tmp_path, seconds=0))
    file.append(b"one;")
    with patch("os.path.isdir", side_effect=[True, error()]), pytest.raises((KeyboardInterrupt, UnusableError)):
        file.append(b"a longer one;")
    file.append(b"two;")
    assert path.read_bytes() == b"one;two;"


def test_what_a_failed_sync_lost_is_written_again(tmp_path: Path) -> None:
    """As ext4 and others: a page that could not be written counts as clean, and the next sync says that all is well."""
    path = tmp_path / "file"
    file = SteadyFile(path, Retry(seconds=10))
    file.append(b"safe;")
    file.sync()
    file.append(b"one;")
    file.append(b"two;")
    failed: list[int] = []

    def fail_once(descriptor: int) -> None:
        if not failed:
            failed.append(descriptor)
            os.truncate(path, 7)  # of the second piece two bytes have come to the disk
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with patch("os.fsync", fail_once):
        file.sync()
    assert path.read_bytes() == b"safe;one;two;"
    assert failed


def test_a_share_that_refuses_at_the_close_what_it_took_before(tmp_path: Path) -> None:
    """As NFS does; the descriptor is gone all the same, and may be another file's a moment later."""
    path = tmp_path / "file"
    file = SteadyFile(path, Retry(seconds=10))
    file.append(b"one;")
    refusals, close, closed = [errno.EIO, errno.ENOSPC], os.close, list[int]()

    def close_and_refuse(descriptor: int) -> None:
        close(descriptor)
        closed.append(descriptor)
        if refusals:
            raise OSError(refusals.pop(), "refused")

    with Disk([0]).in_place(), patch("os.close", close_and_refuse):
        file.append(b"two;")
    assert path.read_bytes() == b"one;two;"
    assert len(closed) == 3, "with each refusal, it was opened anew"


def test_a_file_that_lost_what_was_on_the_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = SteadyFile(path, Retry(seconds=10))
    file.append(b"safe;")
    file.sync()

    def fail_once(descriptor: int, content: bytes, position: int) -> int:
        os.truncate(path, 3)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with patch("os.pwrite", fail_once), pytest.raises(UnusableError, match=r"file has 3 of 5 bytes"):
        file.append(b"more;")
    assert path.read_bytes() == b"saf"


def test_a_file_that_is_there_is_gone_on_with_and_a_new_one_must_be_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before;")
    with pytest.raises(FileExistsError):
        SteadyFile(path, Retry())
    file = SteadyFile(path, Retry(), size=7)
    file.append(b"after;")
    assert path.read_bytes() == b"before;after;"
    file.close()
