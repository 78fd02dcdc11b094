"""What a training hands out, in its order: files for the study's folder, and the reports that speak of them.

A report leaves once everything that it speaks of is in the study's folder; the training goes on meanwhile. Where that
folder is on another filesystem than the node's own disk, as on a share, or on an object store, a file is written to the
node first and a thread copies it over; what is handed out after it waits in line. On the same filesystem a file is in
its place as soon as it is written: nothing ever waits, and there is no thread. Where the storage refuses a file that is
needed, it is written again until it is taken (`raytune_nn.store.retry`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from raytune_nn.store.files import IN_FOLDER, Files, Write
from raytune_nn.store.retry import Retry

MOST = 2  # files that wait on the node at once, so that slow storage cannot fill its disk


def node_folder(study: str) -> str | None:
    """The node's folder for temporary files where a study's folder is on another filesystem; else None."""
    folder = tempfile.gettempdir()
    try:
        return folder if os.stat(folder).st_dev != os.stat(study).st_dev else None
    except OSError:  # what is wrong with the study's folder shows where it is written to
        return None


class Outbox:
    """One training's. Leaving it as a context waits until everything has left, and raises what went wrong.

    Args:
        folder: On the node's own disk, where files wait; they have no names there, so that none outlives the process.
            None: files are written straight to their places.
        retry: Waits for the storage; None: nobody waits.
        files: Of the study.

    Raises:
        OSError: By any method, once a file cannot be written to its place: with its path and the system's reason.
            Nothing that was handed out after it leaves.
        UnusableError: The same, after the storage was waited for.
    """

    def __init__(self, folder: str | None = None, retry: Retry | None = None, files: Files = IN_FOLDER) -> None:
        self._folder, self.retry, self.files = folder, retry or Retry(), files
        self._line = ThreadPoolExecutor(1, "outbox")  # its thread starts with the first file that waits
        self._moves = deque[Future[Any]]()
        self._last: Future[Any] | None = None
        self._failure: Exception | None = None
        self._lost = ""  # why a file that may be missing is, until a report is handed over
        self._dropped = False

    def put(self, path: Path, write: Write, durable: bool = False, needed: bool = True) -> Future[str]:
        """Hands out a file, which is in its place whole or not at all.

        Args:
            path: Its place; the folder is made.
            durable: Whether a power cut must not take it back.
            needed: Otherwise, where it cannot be brought to its place, the training goes on without, and at once.

        Returns:
            Why it is not in its place; empty once it is.
        """
        waiting = None if self._folder is None else self._write_on_node(self._folder, write)
        if waiting is None:
            self.drain()
            self._write(path, write, durable, needed)
            arrival = Future[str]()
            arrival.set_result("")
            return arrival
        arrival = self._line.submit(self._move, waiting, path, durable, needed)
        self._moves.append(arrival)
        self._last = arrival
        return arrival

    def then(self, hand_over: Callable[[str], None]) -> None:
        """Hands out a report: at once where nothing waits, else behind it.

        Args:
            hand_over: Told why the file before it is not in its place, which was not needed; else an empty text.
        """
        self._check()
        if self._last is None or self._last.done():
            self._hand_over(hand_over)
        else:
            self._last = self._line.submit(self._hand_over, hand_over)

    def drain(self) -> None:
        """Waits until everything has left."""
        if self._last is not None:
            self._last.result()
        self._check()

    def drop(self) -> None:
        """Nobody wants what still waits: it stays."""
        self._dropped = True
        self.retry.end()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._line.shutdown()
        if error is None:
            self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _write_on_node(self, folder: str, write: Write) -> IO[bytes] | None:
        """None where there is no room: the training then waits for the storage instead."""
        while len(self._moves) >= MOST:
            self._moves.popleft().result()
        self._check()
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                write(file)
                file.flush()
            except Exception as error:
                if _refusal(error) is None:
                    raise
                return None
            stack.pop_all()
            return file

    def _move(self, waiting: IO[bytes], path: Path, durable: bool, needed: bool) -> str:
        with waiting:
            if self._dropped or self._failure is not None:
                return ""
            try:
                self._write(path, partial(_copy, waiting), durable, needed)
            except Exception as error:
                if not needed:
                    self._lost = str(error)
                    return self._lost
                self._failure = error
        return ""

    def _write(self, path: Path, write: Write, durable: bool, needed: bool) -> None:
        if needed:
            self.retry.run(partial(self._write_once, path, write, durable), path)
        else:
            self._write_once(path, write, durable)

    def _write_once(self, path: Path, write: Write, durable: bool) -> None:
        try:
            self.files.write(path, write, durable)
        except Exception as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            place = refusal.filename if self.files.is_remote else str(path)
            raise OSError(refusal.errno, refusal.strerror or str(refusal), place) from error

    def _hand_over(self, hand_over: Callable[[str], None]) -> None:
        if self._dropped or self._failure is not None:
            return
        lost, self._lost = self._lost, ""
        hand_over(lost)


class NoOutbox(Outbox):
    """Of a worker that hands out nothing, since another one does."""

    def put(self, path: Path, write: Write, durable: bool = False, needed: bool = True) -> Future[str]:
        arrival = Future[str]()
        arrival.set_result("")
        return arrival


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    source.seek(0)
    shutil.copyfileobj(source, target, length=2**20)


def _refusal(error: BaseException | None) -> OSError | None:
    """The system's, behind an error; torch's writer raises its own over it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
