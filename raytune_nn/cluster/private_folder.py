"""The folder of a driver's private Ray: made for it alone, and removed with all that runs there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from raytune_nn.cluster.reaper import reap, reaped
from raytune_nn.store.holder import read_holder, this_process

RAYS = "r"  # its own folder inside ours: Ray opens it to everybody, and ours keeps everybody out
_SOCKET = f"/rtnn-12345678/{RAYS}/session_2026-12-31_23-59-59_123456_1234567/sockets/plasma_store"
_DRIVER = "driver"  # file with the driver whose folder it is, which holds a lock on it
_UNNAMED_SECONDS = 3600.0  # how old a folder is in which no driver is going to write its name any more


@contextlib.contextmanager
def private_folder() -> Iterator[str]:
    """Removes what killed drivers left, makes a folder, and afterwards removes it with all that was started inside."""
    remove_orphans()
    folder = tempfile.mkdtemp(prefix="rtnn-", dir=_short_temporary_folder())
    with open(os.open(os.path.join(folder, _DRIVER), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(this_process(shlex.join(sys.argv)).to_json())
        file.flush()
        with reaped(folder):
            yield folder


def remove_orphans() -> None:
    """Ends the Rays of this user whose drivers are dead, and whose reapers are too; removes their folders."""
    for place in {tempfile.gettempdir(), _short_temporary_folder()}:
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if re.fullmatch(r"rtnn-[a-z0-9_]{8}", entry.name) and entry.is_dir(follow_symlinks=False):
                    _remove_orphan(Path(entry.path))


def _remove_orphan(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else removes it at the same time
        if folder.stat().st_uid == os.getuid() and _is_orphan(folder):
            reap(str(folder))


def _is_orphan(folder: Path) -> bool:
    """Whether its driver is dead for certain."""
    try:
        with (folder / _DRIVER).open() as file:
            holder = read_holder(file.read())
            locked = _is_locked(file.fileno())
    except FileNotFoundError:
        holder, locked = None, False
    if holder is None:  # killed before it wrote its name, and so before it put anything else there
        old = time.time() - folder.stat().st_mtime > _UNNAMED_SECONDS
        return old and not locked and set(os.listdir(folder)) <= {_DRIVER}
    if holder.lives is not None:
        return not holder.lives
    return not locked and holder.host == socket.gethostname()  # in another container, or before the machine's restart


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _short_temporary_folder() -> str:
    """That of the environment, unless Ray's sockets in it would have longer paths than the system allows."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder + _SOCKET)) <= 107 else "/tmp"
