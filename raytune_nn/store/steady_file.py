"""A file that one process appends to, on a storage that fails for a while now and then."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from raytune_nn.errors import UnusableError
from raytune_nn.store.retry import Retry


class SteadyFile:
    """Appends whole pieces, each once: what a fault left of one is overwritten by the next try.

    After a fault the file is opened anew, since a share that came back may not know the old one. What was not synced
    is written again then: a system that could not write a page to the disk counts it as written all the same.

    Args:
        path: Of the file.
        retry: Waits for the storage.
        size: Bytes of a file that is there already; None: a new one is made.

    Raises:
        OSError: The file cannot be made or opened.
    """

    def __init__(self, path: Path, retry: Retry, size: int | None = None) -> None:
        self._path, self._retry = path, retry
        self._safe = size or 0  # bytes from the beginning that are on the disk itself
        self._rest = b""  # all pieces after them
        self._doubtful = False  # whether the file may hold less than these, or more; a signal can leave it so anywhere
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL if size is None else os.O_RDWR
        self._file = os.open(path, flags | os.O_CLOEXEC, 0o644)

    def append(self, piece: bytes) -> None:
        """Adds a piece; it survives the death of this process once this returns.

        Raises:
            OSError, RaytuneError: As `Retry.run` does; the piece is not in the file, but for a beginning of it.
        """
        self._retry.run(partial(self._put, piece), self._path)
        self._rest += piece
        self._doubtful = False

    def sync(self) -> None:
        """Puts all pieces on the disk itself.

        Raises:
            OSError, RaytuneError: As `Retry.run` does.
        """
        self._retry.run(self._sync, self._path)
        self.trust()

    def trust(self) -> None:
        """Counts what was appended as being on the disk itself, be it so or not."""
        self._safe, self._rest = self._safe + len(self._rest), b""

    def close(self) -> None:
        """Nothing can be appended afterwards."""
        os.close(self._file)

    def _put(self, piece: bytes) -> None:
        if self._doubtful:
            self._mend(piece)
            return
        self._doubtful = True
        self._write(piece, self._safe + len(self._rest))

    def _sync(self) -> None:
        if self._doubtful:
            self._mend(b"")
        self._doubtful = True
        os.fsync(self._file)
        self._doubtful = False

    def _mend(self, piece: bytes) -> None:
        """Writes what is not safe over what may be there of it: a kill on the way takes nothing back."""
        before, self._file = self._file, os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        os.close(before)  # a share may refuse here what it took before, and it is closed all the same
        size = os.fstat(self._file).st_size
        if size < self._safe:
            raise UnusableError(
                "the storage must keep what it said was on the disk",
                f"{self._path} has {size} of {self._safe} bytes",
                "restore the file from a backup, or start under another study.name",
            )
        os.ftruncate(self._file, min(size, self._safe + len(self._rest)))  # what was taken of a piece that was refused
        self._write(self._rest + piece, self._safe)

    def _write(self, content: bytes, position: int) -> None:
        """A full disk takes a part before it refuses the rest."""
        while content:
            written = os.pwrite(self._file, content, position)
            content, position = content[written:], position + written
