"""The folder on this machine in which a driver has the files of a study that is on an object store.

It is made and named like that of a private Ray (`raytune_nn.cluster.private_folder`): the next driver removes it where
a driver and its reaper were killed.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shlex
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from raytune_nn.store.holder import this_process

DRIVER = "driver"  # file with the driver whose folder it is, which holds a lock on it


@cache
def working_path() -> Path:
    """Where this process's own is, or is to be."""
    return Path(tempfile.gettempdir(), f"rtnn-{secrets.token_hex(4)}")


@cache
def working_folder() -> Path:
    """This process's own; it goes when the process ends."""
    folder = working_path()
    folder.mkdir(0o700)
    mark = os.open(folder / DRIVER, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)  # open until the end
    fcntl.flock(mark, fcntl.LOCK_EX)
    os.write(mark, this_process(shlex.join(sys.argv)).to_json().encode())
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    """Not by a process that was forked from the owner."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
