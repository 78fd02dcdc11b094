"""Sends a trial's TensorBoard run to an object store, where files cannot grow: each is sent again, whole.

That is done where the trial's state is saved, from which another slot may go on with the run; now and then between, for
whoever watches; and at the end.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from raytune_nn.store.files import Files
from raytune_nn.store.retry import Retry

SEND_SECONDS = 30.0  # at most, while the trial reports
EVENTS = "events.out.tfevents."


class RunUpload:
    """One trial's.

    Args:
        files: Of the study.
        folder: Of the run.
    """

    def __init__(self, files: Files, folder: Path, retry: Retry) -> None:
        self._files, self._folder, self._retry = files, folder, retry
        self._sent: dict[Path, tuple[int, int]] = {}  # size and time of change
        self._last = time.monotonic()
        self._alone = False  # whether what was cut of an earlier attempt is gone

    def fetch(self) -> None:
        """Gets what an earlier attempt has sent."""
        self._files.fetch_folder(self._folder)

    def send(self) -> None:
        """Sends what has changed, if it can be done at once: no trial fails for a curve that is seen later."""
        with contextlib.suppress(OSError):
            self._send()
            if not self._alone:
                self._remove_earlier()

    def send_now_and_then(self) -> None:
        """The same, not at each report."""
        if time.monotonic() - self._last >= SEND_SECONDS:
            self.send()

    def finish(self) -> None:
        """Sends all, and waits for the store; what an earlier attempt sent, and this one has cut, goes once more.

        An attempt that has not noticed its end yet may have sent its last words after this one began.
        """
        self._retry.run(self._send, self._folder)
        self._retry.run(self._remove_earlier, self._folder)

    def _send(self) -> None:
        self._last = time.monotonic()
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file()):
            found = path.stat()
            state = found.st_size, found.st_mtime_ns
            if self._sent.get(path) != state:
                self._files.publish(path)
                self._sent[path] = state

    def _remove_earlier(self) -> None:
        ours = {path.name for path in self._folder.glob(f"{EVENTS}*")}
        latest = max(map(_made_at, ours), default=0)
        for name in self._files.names(self._folder):
            if name.startswith(EVENTS) and name not in ours and _made_at(name) < latest:
                self._files.remove(self._folder / name)
        self._alone = True


def _made_at(name: str) -> int:
    """Seconds since the epoch, which an event file has in its name."""
    seconds = name.removeprefix(EVENTS).partition(".")[0]
    return int(seconds) if seconds.isdecimal() else 0
