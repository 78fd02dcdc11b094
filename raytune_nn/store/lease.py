"""One driver a study: a lock on a file of its folder, held by the process and gone with it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from pathlib import Path

from raytune_nn.errors import UnusableError
from raytune_nn.store.folder import usable


class Lease:
    """Holds a study folder until ``release``, or the end of this process, however it comes.

    Raises:
        UnusableError: Another driver holds it (the message says who, and since when), or the folder cannot be locked.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / ".lease"
        with usable(path):
            self._file = path.open("a+")
        try:
            with usable(path):
                self._lock(folder)
        except UnusableError:
            with contextlib.suppress(OSError):  # it would write what the disk did not take
                self._file.close()
            raise

    def release(self) -> None:
        """Lets the next driver in."""
        with contextlib.suppress(OSError):  # the storage is gone, and with it the name of who held it
            self._file.truncate(0)
            self._file.close()

    def _lock(self, folder: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            who = self._file.read().strip() or "a driver that has just begun"
            raise UnusableError(
                "one driver at a time may run a study", f"{folder} is held by {who}", "study.name=another"
            ) from None
        self._file.truncate(0)
        holder = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        self._file.write(json.dumps(holder))
        self._file.flush()
