"""One driver a study: who has it stands in a file of its folder, under a lock, and with a heartbeat.

The lock is held by the process and gone with it, however it ends; where it reaches, it is enough. On some shares it
reaches one machine only. So the file also changes every few seconds, and a driver that cannot see whether the other
one lives waits for such a change: clocks of two machines are never compared. Without one for ``TTL_SECONDS``, it takes
the study over.

A driver that was suspended for so long, and comes back, must not write. It looks before its first line into the journal
(``check``). The journal itself makes up for what a look cannot exclude: it says how much of it the new driver has read,
and what the old one appends after that counts for nobody (`raytune_nn.store.journal`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import uuid4

from raytune_nn.errors import UnusableError
from raytune_nn.store.folder import usable
from raytune_nn.store.holder import Holder, read_holder, this_process

BEAT_SECONDS = 10.0
TTL_SECONDS = 60.0  # without a heartbeat, after which a driver that nobody can see counts as dead
LOOK_SECONDS = 1.0  # between two looks of a driver that waits for a heartbeat
_LENGTH = 4096  # bytes of the file: it is written as one block over the last one
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # of file systems that have none
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps

Tell = Callable[[str], None]


class Lock(Enum):
    """Who has the lock on the file."""

    ours = "ours"
    anothers = "anothers"
    none = "none"  # the file system has no locks


class Lease:
    """Holds a study folder until ``release``, or the end of this process, however it comes.

    Args:
        command: What was typed, for the message that another driver gets.
        tell: Told why this takes a minute, where it does.

    Raises:
        UnusableError: Another driver holds it (the message says who, and since when), or the folder cannot be written.
    """

    name = ".lease"  # of the file

    def __init__(self, folder: Path, command: str = "", tell: Tell = lambda text: None) -> None:
        self._path = folder / self.name
        self._holder, self._id, self._beats = this_process(command), uuid4().hex, 0
        self._taken_by = ""
        self._beating = threading.Lock()
        with usable(self._path):
            self._file = _take(self._path, self._block(), tell)
        self._start()

    def _start(self) -> None:
        self._last = time.clock_gettime(CLOCK)
        self._released = threading.Event()
        threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def check(self) -> None:
        """Whether the study is still this driver's; costs nothing where its heart has beaten lately.

        Raises:
            UnusableError: Another driver has taken it over.
        """
        if time.clock_gettime(CLOCK) - self._last > TTL_SECONDS / 2:
            self._beat()
        if self._taken_by:
            raise UnusableError(
                f"a driver that gives no sign of life for {TTL_SECONDS:g} s loses its study",
                f"it was taken over by {self._taken_by}",
                "wait for that driver: it goes on from the last checkpoints",
            )

    def release(self) -> None:
        """Lets the next driver in."""
        self._released.set()
        with self._beating, contextlib.suppress(OSError):  # a storage that is gone has nothing to release
            os.ftruncate(self._file, 0)  # of a file that was replaced by another driver's, nobody sees it
        os.close(self._file)

    def _keep(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            self._beat()

    def _beat(self) -> None:
        """A sign of life, unless the file has another driver's name."""
        with self._beating, contextlib.suppress(OSError):  # the journal's next line says what is wrong, or waits
            if self._released.is_set():
                return
            with open(self._path, "r+b", buffering=0) as file:  # by its name: the one that is there now
                found = file.read(_LENGTH)
                if content_of(found).get("id") != self._id:
                    self._taken_by = named(found)
                    return
                os.pwrite(file.fileno(), self._block(), 0)
                os.fsync(file.fileno())
            self._last = time.clock_gettime(CLOCK)

    def _block(self) -> bytes:
        self._beats += 1
        content = {
            "id": self._id,
            "beats": self._beats,
            "device": self._path.parent.stat().st_dev,
            "holder": self._holder.to_json(),
        }
        return json.dumps(content).encode().ljust(_LENGTH)


def _take(path: Path, block: bytes, tell: Tell) -> int:
    """Writes the block as soon as that is allowed, and returns the file that it is in, with the lock."""
    while True:
        with contextlib.ExitStack() as stack:
            file, lock = _open(path)
            stack.callback(os.close, file)
            found = os.pread(file, _LENGTH, 0)
            free = _is_free(found, path, lock)
            if free and lock is Lock.ours:
                os.pwrite(file, block, 0)
                stack.pop_all()
                return file
            if free is False:
                raise _refusal(path, named(found))
            if free is None and (seen := _awaited(path, found, tell)) is not None:
                if seen.strip():
                    raise _refusal(path, named(seen))
                continue  # it was released meanwhile
            return _replace(path, block)


def _open(path: Path) -> tuple[int, Lock]:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), os.stat(path)):
                    return file, Lock.ours
        except OSError as error:
            if isinstance(error, BlockingIOError):
                return file, Lock.anothers
            if error.errno in _NO_LOCKS:
                return file, Lock.none
            os.close(file)
            raise
        os.close(file)  # another driver's file took its place since it was opened


def _is_free(found: bytes, path: Path, lock: Lock) -> bool | None:
    """Whether the driver of this block is dead, or has released the study; None where only its heartbeat can tell."""
    if not found.strip():
        return lock is not Lock.anothers  # who has the lock is going to write its name
    holder = holder_of(found)
    if holder is None:
        return None
    if holder.lives is not None:  # another driver can have the lock already, before it wrote its own name
        return None if not holder.lives and lock is Lock.anothers else not holder.lives
    if lock is Lock.none or not holder.on_this_kernel or content_of(found)["device"] != path.stat().st_dev:
        return None
    return lock is Lock.ours  # another container, and the same mount: the kernel knows


def _awaited(path: Path, found: bytes, tell: Tell) -> bytes | None:
    """What stands in the file as soon as it is something else; None where that does not come."""
    tell(f"{path.parent} is held by {named(found)}: waiting up to {TTL_SECONDS:g} s for a sign of life")
    end = time.monotonic() + TTL_SECONDS
    while time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        seen = path.read_bytes()[:_LENGTH]
        if seen != found:
            return seen
    tell("no sign of life: this driver takes the study over")
    return None


def _replace(path: Path, block: bytes) -> int:
    """Puts a file of ours in the place of one whose driver may have it open, and locked."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        with contextlib.suppress(OSError):  # there may be no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.pwrite(file, block, 0)
        os.fsync(file)
        os.replace(draft, path)
        time.sleep(LOOK_SECONDS)  # two drivers may have waited
        now = path.read_bytes()[:_LENGTH]
        if now != block:
            raise _refusal(path, named(now))
    except BaseException:
        os.close(file)
        raise
    return file


def content_of(block: bytes) -> dict[str, Any]:
    """The content of a block; nothing where it is none, as while it is written."""
    try:
        content = json.loads(block)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def holder_of(block: bytes) -> Holder | None:
    """The driver of a block; None where it has no name in it."""
    return read_holder(content_of(block).get("holder", ""))


def named(block: bytes) -> str:
    """The same for people."""
    holder = holder_of(block)
    if holder is None:
        return "a driver that has no name in it now" if block.strip() else "a driver that has just begun"
    return str(holder)


def _refusal(path: Path, who: str) -> UnusableError:
    return UnusableError(
        "one driver at a time may run a study", f"{path.parent} is held by {who}", "study.name=another"
    )
