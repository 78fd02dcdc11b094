"""Ends what belongs to one private Ray, and removes its folder, whatever became of its driver.

Ray's own processes take a minute to see that their driver was killed, a stopped one never does, and nobody is left to
remove the folder. So a process of its own waits for the driver's end, which it sees by the end of its input. It is run
by its path with ``python -I -S`` and imports no library: it is there in some hundredths of a second, and takes few MB.

What belongs to a Ray is what has inherited the name of its folder in its environment, and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

VARIABLE = "RAYTUNE_NN_PRIVATE_RAY"  # in the environment of all that a driver starts: the folder of its Ray
SECONDS = 10.0  # how long what was killed may take to be gone; one that waits for a dead disk takes longer


@contextlib.contextmanager
def reaped(folder: str) -> Iterator[None]:
    """Marks what is started inside as belonging to this folder; afterwards all of it is gone, and the folder too.

    Args:
        folder: Of this driver alone.
    """
    reaper = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, folder],
        stdin=subprocess.PIPE,  # its end is the driver's
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={name: value for name, value in os.environ.items() if name != VARIABLE},  # of a study in another's slot
        start_new_session=True,
    )
    outer = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = folder
    try:
        yield
    finally:
        if outer is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = outer
        reap(folder)  # the driver can do it itself
        reaper.kill()
        reaper.communicate()


def reap(folder: str) -> None:
    """Kills what belongs to a Ray, and removes its folder."""
    end = time.monotonic() + SECONDS
    while (found := _processes(folder)) and time.monotonic() < end:
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
            os.close(process)
        time.sleep(0.01)  # a process that was being started meanwhile is found the next time
    for process in found:
        os.close(process)
    shutil.rmtree(folder, ignore_errors=True)


def _processes(folder: str) -> list[int]:
    """Handles of all processes with the mark; a handle stays that of its process when the pid is given to another."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not name.isdigit() or int(name) == os.getpid() or not _has_mark(name, folder):
            continue
        with contextlib.suppress(OSError):
            process = os.pidfd_open(int(name))
            if _has_mark(name, folder):  # still: from here on the handle is that of a process with the mark
                found.append(process)
            else:
                os.close(process)
    return found


def _has_mark(pid: str, folder: str) -> bool:
    """A process that has ended, or is somebody else's, has none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return os.fsencode(f"\0{VARIABLE}={folder}\0") in b"\0" + file.read()
    except OSError:
        return False


if __name__ == "__main__":
    sys.stdin.buffer.read()
    reap(sys.argv[1])
