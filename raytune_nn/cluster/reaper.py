"""Ends what belongs to one private Ray, and removes its folder, whatever became of its driver.

Ray's own processes take a minute to see that their driver was killed, a stopped one never does, and nobody is left to
remove the folder. So a process of its own waits for the driver's end, which it sees by the end of its input. It is run
by its path with ``python -I -S`` and imports no library: it is there in some hundredths of a second, and takes few MB.

What belongs to a Ray is what has inherited its folder in its environment, and nothing else.
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
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD, of the flags in /proc/<pid>/stat


@contextlib.contextmanager
def reaped(folder: str) -> Iterator[None]:
    """Marks what is started inside as belonging to this folder; afterwards all of it is gone, and the folder too.

    Args:
        folder: Of this driver alone, and not there yet: so there is no moment at which it would be left.
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
    while time.monotonic() < end:
        if not _kill(folder):
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.lexists(folder):
                return
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)


def _kill(folder: str) -> bool:
    """Whether there was a process to kill, or one of which it cannot be seen yet: another look is needed then."""
    any_found = False
    for pid in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not pid.isdigit() or int(pid) == os.getpid() or not _belongs(pid, folder):
            continue
        any_found = True
        with contextlib.suppress(OSError):
            process = os.pidfd_open(int(pid))  # stays that of its process when the pid is given to another
            try:
                if _has_mark(pid, folder):  # still
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            finally:
                os.close(process)
    return any_found


def _belongs(pid: str, folder: str) -> bool:
    """Whether a process has the mark, or may have it: one that is just being started shows nothing of itself yet."""
    starting = not _read(pid, "cmdline") and _is_starting(pid)  # asked first: it may show all the moment after
    return _has_mark(pid, folder) or starting


def _has_mark(pid: str, folder: str) -> bool:
    """In any variable of the environment; where Ray wrote a process's title over it, an open file there will do."""
    environment, name = _read(pid, "environ"), os.fsencode(folder)
    if environment.startswith(b"\0"):
        return _has_open(pid, f"{folder}/")
    return b"=%s\0" % name in environment or b"=%s/" % name in environment


def _has_open(pid: str, beginning: str) -> bool:
    with contextlib.suppress(OSError):
        for file in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):  # closed meanwhile
                if os.readlink(f"/proc/{pid}/fd/{file}").startswith(beginning):
                    return True
    return False


def _is_starting(pid: str) -> bool:
    """Whether what shows neither environment nor command will: not what has ended, and not a thread of the kernel."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] not in (b"Z", b"X") and not int(fields[6]) & _KERNEL_THREAD


def _read(pid: str, name: str) -> bytes:
    """Nothing where the process is gone, or somebody else's."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # of a whole control group: its driver has heard it as well, and may hang
    sys.stdin.buffer.read()
    reap(sys.argv[1])
