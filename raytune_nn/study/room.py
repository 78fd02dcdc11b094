"""Looks at the disk while a study runs: where it gets full, running trials go on and no other one begins.

What it looks at costs two calls of the system every few seconds, and nothing an event.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

from raytune_nn.errors import UnusableError
from raytune_nn.store.checkpoints import MODEL, state_path
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.free_space import MB
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.retry import Retry

LOOK_SECONDS = 5.0  # between two looks; one second while there is no room


class Room:
    """Whether another trial may begin.

    It may where the disk holds what the trials at work may still write, each a new model or state beside its last one,
    and all of one trial more, and ``min_free`` stays free. How large models and states are is seen on the disk.

    Args:
        min_free: MB.
        seconds: Without room and without a trial at work, after which the study ends.
        retry: Of the driver. Its waits, and those of slots, come to the journal here.
    """

    def __init__(self, folder: StudyFolder, min_free: float, seconds: float, retry: Retry) -> None:
        self._folder, self._min_free, self._seconds, self.retry = folder, min_free, seconds, retry
        self._next_look = 0.0
        self._at_work = 0  # at the last look
        self._idle_since: float | None = None  # no room, and no trial at work
        self._slot_waits: list[tuple[str, str]] = []  # not written yet
        self._newest: dict[str, Path] = {}  # a model and a state that were written last
        self._largest = {"model": 0, "state": 0}  # bytes, of those looked at
        self.reason = ""  # why no trial may begin now

    @property
    def others_at_work(self) -> bool:
        """Whether a trial that waited for room in vain can be tried again later, since others still train."""
        return bool(self.reason) and self._at_work > 1

    def heard(self, event: Event, record: StudyRecord) -> None:
        """Notes where a checkpoint was written."""
        if event["type"] == "checkpointed":
            self._newest["model"] = self._folder.checkpoints / event["folder"] / MODEL
        elif event.get("saved"):
            trial = record.trials[event["trial"]]
            self._newest["state"] = state_path(self._folder.checkpoints, trial.id, trial.saves)

    def slot_waits(self, trial: str, reason: str) -> None:
        """A trial cannot write, and tries again."""
        self._slot_waits.append((trial, reason))

    def look(self, at_work: int, write: Callable[..., None]) -> UnusableError | None:
        """Called often, also while nothing happens; writes what has changed.

        Args:
            at_work: Trials that are handed out: those that only wait for a slot do not count.

        Returns:
            Why the study must end: there was no room for too long, and no trial at work.
        """
        for seconds, reason in self.retry.take_waits():
            write("waited", seconds=round(seconds, 3), reason=reason)
        while self._slot_waits:
            trial, reason = self._slot_waits.pop(0)
            write("waits", trial=trial, reason=reason)
        now = time.monotonic()
        if now < self._next_look:
            return None
        free = self.retry.run(self._free, self._folder.path)
        self._at_work = at_work
        self._judge(free, self._needed(at_work), write)
        self._next_look = now + (1.0 if self.reason else LOOK_SECONDS)
        if not self.reason or at_work:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        given_up = self._idle_since is not None and now - self._idle_since >= self._seconds
        return self._given_up() if given_up else None

    def _judge(self, free: int, needed: int, write: Callable[..., None]) -> None:
        if free < needed and not self.reason:
            self.reason = (
                f"{free / MB:.0f} MB are free, and {needed / MB:.0f} MB must be before another trial begins "
                f"(checkpoints.min_free={self._min_free:g} among them)"
            )
            write("held", reason=self.reason, free=free, needed=needed)
        elif free >= needed and self.reason:
            self.reason = ""
            write("freed", free=free, needed=needed)

    def _free(self) -> int:
        """In bytes; a disk that has become read-only refuses as if it had been written to."""
        disk = os.statvfs(self._folder.path)
        if disk.f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return disk.f_bavail * disk.f_frsize

    def _needed(self, at_work: int) -> int:
        for kind, path in self._newest.items():
            try:
                self._largest[kind] = max(self._largest[kind], os.stat(path).st_size)
            except OSError:  # it is gone again; there will be others
                continue
        sizes = self._largest.values()
        return int(self._min_free * MB) + at_work * max(sizes) + sum(sizes)

    def _given_up(self) -> UnusableError:
        return UnusableError(
            "the disk of the study must have room for another trial",
            f"{self._folder.place}: {self.reason}, for {self._seconds:g} s (failures.storage_timeout)",
            "free the disk, then run the same command; or checkpoints.min_free=0",
        )
