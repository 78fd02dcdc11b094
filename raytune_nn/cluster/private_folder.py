"""The folder of a driver's private Ray: made for it alone, and removed with all that runs there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from raytune_nn.cluster.reaper import reap, reaped
from raytune_nn.store.holder import read_holder, this_process

RAYS = "r"  # its own folder inside ours: Ray opens it to everybody, and ours keeps everybody out
_SOCKET = f"/rtnn-12345678/{RAYS}/session_2026-12-31_23-59-59_123456_1234567/sockets/plasma_store"
_DRIVER = "driver"  # file with the driver whose folder it is, which holds a lock on it


@contextlib.contextmanager
def private_folder() -> Iterator[str]:
    """Removes what killed drivers left, makes a folder, and afterwards removes it with all that was started inside."""
    remove_orphans()
    folder = _new_path(_short_temporary_folder())
    with reaped(folder):
        os.mkdir(folder, 0o700)
        with open(os.open(os.path.join(folder, _DRIVER), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(this_process(shlex.join(sys.argv)).to_json())
            file.flush()
            yield folder


def _new_path(parent: str) -> str:
    while os.path.lexists(path := os.path.join(parent, f"rtnn-{secrets.token_hex(4)}")):
        pass
    return path


def remove_orphans() -> None:
    """Ends the Rays of this user whose drivers are dead, and whose reapers are too; removes their folders."""
    for place in {tempfile.gettempdir(), _short_temporary_folder()}:
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if re.fullmatch(r"rtnn-[0-9a-f]{8}", entry.name) and entry.is_dir(follow_symlinks=False):
                    _remove_orphan(Path(entry.path))


def _remove_orphan(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else removes it at the same time, or it has no driver's name
        if folder.stat().st_uid == os.getuid() and _is_orphan(folder):
            reap(str(folder))


def _is_orphan(folder: Path) -> bool:
    """Whether its driver is dead for certain."""
    with (folder / _DRIVER).open() as file:
        holder = read_holder(file.read())
        locked = _is_locked(file.fileno())
    if holder is None:  # its driver is about to write its name
        return False
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
