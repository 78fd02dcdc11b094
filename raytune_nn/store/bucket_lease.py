"""One driver a study, on an object store: who has it stands in an object, with a heartbeat.

There are no locks there, and pyarrow has no conditional writes. A driver that writes its name waits a second and looks
whether it is still there; so two that begin at the same moment do not both go on, unless the store is slower than that.
On one machine a dead driver is seen at once, elsewhere by its heart, as `raytune_nn.store.lease` does it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from uuid import uuid4

from raytune_nn.errors import UnusableError
from raytune_nn.store.bucket_folder import LEASE, BucketFolder
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.holder import this_process
from raytune_nn.store.lease import (
    CLOCK,
    LOOK_SECONDS,
    TTL_SECONDS,
    Lease,
    Tell,
    content_of,
    holder_of,
    named,
)


def hold(folder: StudyFolder, command: str = "", tell: Tell = lambda text: None) -> Lease:
    """Holds a study wherever it is; arguments and errors are those of `Lease`."""
    return BucketLease(folder, command, tell) if isinstance(folder, BucketFolder) else Lease(folder.path, command, tell)


class BucketLease(Lease):
    """Holds a study on an object store, as well as that can be done there."""

    name = LEASE

    def __init__(self, folder: BucketFolder, command: str = "", tell: Tell = lambda text: None) -> None:
        self._store, self._place = folder.files.store, folder.place
        self._holder, self._id, self._beats = this_process(command), uuid4().hex, 0
        self._taken_by = ""
        self._beating = threading.Lock()
        with usable(self._place):
            self._await_free(tell)
            block = self._block()
            self._store.write(LEASE, block)
            time.sleep(LOOK_SECONDS)
            found = self._read()
            if found != block:
                raise self._refusal(found)
        self._start()

    def release(self) -> None:
        self._released.set()
        with self._beating, contextlib.suppress(OSError):
            if content_of(self._read()).get("id") == self._id:
                self._store.remove(LEASE)

    def _beat(self) -> None:
        with self._beating, contextlib.suppress(OSError):  # the journal's next events say what is wrong, or wait
            if self._released.is_set():
                return
            found = self._read()
            if content_of(found).get("id") != self._id:
                self._taken_by = named(found)
                return
            self._store.write(LEASE, self._block())
            self._last = time.clock_gettime(CLOCK)

    def _await_free(self, tell: Tell) -> None:
        found = self._read()
        holder = holder_of(found)
        if not found.strip() or (holder is not None and holder.lives is False):
            return
        if holder is not None and holder.lives:
            raise self._refusal(found)
        tell(f"{self._place} is held by {named(found)}: waiting up to {TTL_SECONDS:g} s for a sign of life")
        end = time.monotonic() + TTL_SECONDS
        while time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            seen = self._read()
            if not seen.strip():
                return
            if seen != found:
                raise self._refusal(seen)
        tell("no sign of life: this driver takes the study over; an object store has no locks to make sure")

    def _read(self) -> bytes:
        try:
            return self._store.read(LEASE)
        except FileNotFoundError:
            return b""

    def _block(self) -> bytes:
        self._beats += 1
        return json.dumps({"id": self._id, "beats": self._beats, "holder": self._holder.to_json()}).encode()

    def _refusal(self, found: bytes) -> UnusableError:
        held = f"{self._place} is held by {named(found)}"
        return UnusableError("one driver at a time may run a study", held, "study.name=another")
