"""Who holds something that one driver at a time may have, and whether that driver is still there."""

from __future__ import annotations

import json
import os
import pwd
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_LONGEST = 300  # characters of a command that are kept


@dataclass(frozen=True)
class Holder:
    """A driver's process, told from all others: a pid comes back, but not with the same start on the same boot."""

    host: str
    boot: str  # id of the kernel's start, which the containers of a machine share; without /proc, the host
    namespace: str  # of pids: two containers have different processes under one pid
    pid: int
    started: str  # of the process, in ticks since the boot; empty without /proc
    user: str
    command: str
    since: str  # local time

    def __str__(self) -> str:
        stopped = " (stopped)" if self.lives and _state(self.pid) == "T" else ""
        return f"pid {self.pid}{stopped} of {self.user} on {self.host} since {self.since}: {self.command}"

    def to_json(self) -> str:
        """In a line."""
        return json.dumps(asdict(self))

    @property
    def on_this_kernel(self) -> bool:
        """Whether it runs, or ran, under the running kernel, whose file locks then speak of it too."""
        return self.boot == _boot()

    @property
    def lives(self) -> bool | None:
        """Whether its process is there; None where that cannot be seen from here."""
        if not self.on_this_kernel or self.namespace != _namespace() or not self.started:
            return None
        return _started(self.pid) == self.started


def this_process(command: str) -> Holder:
    """The holder that is to be named where this process takes something.

    Args:
        command: What was typed.
    """
    pid = os.getpid()
    return Holder(
        host=socket.gethostname(),
        boot=_boot(),
        namespace=_namespace(),
        pid=pid,
        started=_started(pid),
        user=_user(),
        command=command[:_LONGEST],
        since=time.strftime("%Y-%m-%d %H:%M:%S"),
    )


def read_holder(text: str) -> Holder | None:
    """The holder that ``to_json`` wrote; None where the text is not one, as when it is being written."""
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return str(os.getuid())


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip() or socket.gethostname()


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Empty also where the process is dead, and its parent has not asked for it."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _stat(pid: int) -> list[str]:
    """The fields after the process's name, which can hold spaces and brackets; none where it is gone."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
