"""Why the process of a trial is gone, as far as it can be known."""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ray.air.execution._internal import RayActorManager
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.tune.experiment import Trial

from raytune_nn.cluster.fork_server import exit_status
from raytune_nn.trial.gang import WORKER_DIED

DIED = "the trial's process died"
FEWER = "resources.memory=<GiB of a trial>, a smaller data.batch_size, or a lower cluster.cpus for fewer trials at once"
_MEMORY = re.compile(r"^(?:OOM kill reason: )?(Memory usage .+? exceeded threshold .+)$", re.MULTILINE)
_NODE = re.compile(r"Memory on the node \(.*?\) was (.+? used / .+? limit)")
_VMSTAT = Path("/proc/vmstat")  # of the whole machine, also inside a container


class Losses:
    """Explains lost processes; made before the first, since it compares.

    Args:
        vmstat: Where the kernel counts the processes that it killed for want of memory.
    """

    def __init__(self, vmstat: Path = _VMSTAT) -> None:
        self._vmstat = vmstat
        self._killed = self._kernel_kills()

    def explain(self, words: str, silence: str = "") -> tuple[str, bool]:
        """What Ray says of a lost process and at the end, in one line, what became of it.

        Args:
            words: Those of ``last_words``.
            silence: Why the driver itself ended the process; empty where it did not.

        Returns:
            The text, and whether the process died without any word of why, as of what the user's modules do.
        """
        if silence:
            return f"{_whose(words)}\n{silence}", False
        if "low on memory" in words:
            return _out_of_memory(words), False
        if words and "died unexpectedly" not in words:
            return words, False  # an error on the way to the trial
        pid = re.search(r"^\s*pid: (\d+)$", words, re.MULTILINE)
        status = None if pid is None else exit_status(int(pid[1]))
        how = _how(status)
        words = words if status is None else _whose(words)  # not what Ray guesses, where it is known
        kills, self._killed = self._kernel_kills() - self._killed, self._kernel_kills()
        if kills and status in (None, -signal.SIGKILL):
            how += f": the kernel ended {kills} of this machine's processes for want of memory meanwhile; try {FEWER}"
            return f"{words}\n{DIED}{how}", False
        return f"{words}\n{DIED}{how}", True

    def _kernel_kills(self) -> int:
        try:
            found = re.search(r"^oom_kill (\d+)$", self._vmstat.read_text(), re.MULTILINE)
        except OSError:  # another system than Linux
            return 0
        return int(found[1]) if found else 0


@contextlib.contextmanager
def any_loss_is_an_actors() -> Iterator[None]:
    """Inside, Tune takes any error of Ray's itself for the loss of a trial's process.

    It knows one kind of them, and ends the study at others: such as OutOfMemoryError, of a process that Ray's memory
    monitor ended, or the loss of a result with the node that held it.
    """
    fail = RayActorManager._actor_task_failed

    def failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            exception = RayActorError(error_msg=f"{type(exception).__name__}: {exception}")
        fail(self, tracked_actor_task=tracked_actor_task, exception=exception)

    with mock.patch.object(RayActorManager, "_actor_task_failed", failed):
        yield


def last_words(trial: Trial) -> str:
    """Ray's own on the loss of a trial's process."""
    words = Path(trial.error_file).read_text() if trial.error_file else ""
    return words.partition("\n")[2].strip()  # the first line is Tune's count of failures


def _whose(words: str) -> str:
    """Process and machine."""
    return ", ".join(re.findall(r"^\s*((?:pid|ip): \S+)$", words, re.MULTILINE))


def _out_of_memory(words: str) -> str:
    """Without Ray's list of all processes of the node, and its advice on settings that a study does not show."""
    told = [found[1] for found in (_NODE.search(words), _MEMORY.search(words)) if found]
    numbers = f" ({'; '.join(told)})" if told else ""
    return f"Ray ended the trial's process, since its node ran low on memory{numbers}\nout of memory; try {FEWER}"


def _how(status: int | None) -> str:
    """Of the status that Python gives to a process: negative, the signal that ended it."""
    if status is None:
        return ""
    if status == WORKER_DIED:
        return ", since another of its workers had"
    if status >= 0:
        return f" with exit code {status}"
    with contextlib.suppress(ValueError):
        return f" of signal {-status} ({signal.Signals(-status).name})"
    return f" of signal {-status}"
