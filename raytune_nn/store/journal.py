"""The journal: what happened in a study, in order, one checksummed line an event.

A line is ``<crc32 of the JSON, 8 hex digits> <JSON>\\n``. Each driver appends to a segment of its own
(``journal/00000.jsonl``, ``00001.jsonl``, …), so that a line torn by a killed driver is always the last of its segment:
it is dropped and counted. Any other damage means that the disk changed what was written, and is refused. Where the
storage refuses a line for a while, what it took of it is overwritten by the next try.

The first line of a segment says how many ``events`` its driver has read in all before. What comes there after them was
written by a driver that had lost the study and did not know it yet: it counts for nobody.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from raytune_nn.errors import UnusableError
from raytune_nn.store.files import IN_FOLDER, Files, ObjectFiles
from raytune_nn.store.folder import usable
from raytune_nn.store.journal_pieces import SEND_SECONDS, Pieces
from raytune_nn.store.retry import Retry
from raytune_nn.store.steady_file import SteadyFile

Event = dict[str, Any]  # always has "type" and "time" (seconds since the epoch)

SYNC_SECONDS = 0.2  # a power cut can cost at most this much; a killed driver costs nothing


class Journal:
    """Appends events to a new segment of the journal in ``folder``.

    Args:
        retry: Waits for the storage once the segment is there, and says whether this driver may still write; None:
            nobody waits.
        files: Of the study. On an object store, what is to survive this machine is sent there at each sync.

    Raises:
        UnusableError: The segment cannot be created.
    """

    def __init__(self, folder: Path, retry: Retry | None = None, files: Files = IN_FOLDER) -> None:
        segments = _segments(folder)
        self.path = folder / f"{len(segments):05d}.jsonl"
        with usable(self.path):
            for last in segments[-1:]:
                _sync(last)  # the new segment counts on what a driver before it was killed too early to sync
            folder.mkdir(parents=True, exist_ok=True)
            self._retry = retry or Retry()
            self._file = SteadyFile(self.path, self._retry)
        self._pieces = Pieces(files, self.path) if isinstance(files, ObjectFiles) else None
        self._seconds = SYNC_SECONDS if self._pieces is None else SEND_SECONDS
        self._dirty = False
        self._synced = time.monotonic()

    def append(self, type: str, **fields: Any) -> Event:
        """Writes one event and returns it; it survives the death of this process once this returns.

        Raises:
            UnusableError: The line could not be written (disk full, gone, read-only).
        """
        event = {"type": type, "time": time.time(), **fields}
        with usable(self.path):
            self._file.append(encode(event))
        self._dirty = True
        return event

    def sync(self, force: bool = False) -> None:
        """Puts what was appended on the disk itself, at most every ``SYNC_SECONDS`` unless forced.

        On an object store that is every ``SEND_SECONDS``.
        """
        if self._dirty and (force or time.monotonic() - self._synced > self._seconds):
            with usable(self.path):
                self._file.sync()
                if self._pieces is not None:
                    self._retry.run(self._pieces.send)
            self._dirty, self._synced = False, time.monotonic()

    def close(self) -> None:
        """Syncs and closes; nothing can be appended afterwards."""
        try:
            self.sync(force=True)
        finally:
            self._file.close()


def read_journal(folder: Path) -> Iterator[Event]:
    """All events of a journal, oldest first; a torn last line of a segment is skipped.

    Raises:
        UnusableError: A line that is not the last is damaged (the message names segment and byte), lines are missing
            at the end of a segment that others follow, or the journal cannot be read.
    """
    segments = _segments(folder)
    read = 0
    for number, segment in enumerate(segments):
        with usable(segment):
            *lines, _ = segment.read_bytes().split(b"\n")  # what follows the last newline is empty, or torn
            known = _read_before(segments[number + 1 :])
        counting = lines if known is None else lines[: known - read]
        yield from _events(segment, counting)
        read += len(counting)
        if known is not None and read < known:
            raise _damaged(f"{segment}: the last {known - read} of {known} lines by then are missing")


def _events(segment: Path, lines: Sequence[bytes]) -> Iterator[Event]:
    offset = 0
    for line in lines:
        event = _decode(line)
        if event is None:
            raise _damaged(f"{segment}, byte {offset}: {line[:60]!r}")
        yield event
        offset += len(line) + 1


def _damaged(found: str) -> UnusableError:
    return UnusableError(
        "the journal must be as it was written, and this line is not",
        found,
        "restore the file from a backup, or start under another study.name",
    )


def _read_before(segments: Sequence[Path]) -> int | None:
    """How many events the driver of the first of these segments had read; None where no segment says it."""
    for segment in segments:
        with segment.open("rb") as file:
            first = file.readline()
        if first.endswith(b"\n"):  # else its driver was killed before it wrote anything
            event = _decode(first[:-1]) or {}  # a damaged line is refused when its segment is read
            number: int | None = event.get("events")
            return number
    return None


def torn_lines(folder: Path) -> int:
    """How many segments end in a line that a killed driver, or a full disk, left half written."""
    return sum(not segment.read_bytes().endswith(b"\n") for segment in _segments(folder) if segment.stat().st_size)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.jsonl"))


def encode(event: Event) -> bytes:
    """The line of an event."""
    body = json.dumps(event, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _decode(line: bytes) -> Event | None:
    """The event of a line, or None where its checksum does not fit."""
    checksum, _, body = line.partition(b" ")
    if len(checksum) != 8 or checksum != b"%08x" % zlib.crc32(body):
        return None
    event: Event = json.loads(body)
    return event
