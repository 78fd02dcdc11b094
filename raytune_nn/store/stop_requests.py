"""What other processes ask a running driver: to stop a trial, or the whole study.

A request is a file in the study's folder (an object in its bucket) with the trial's id as its name, or ``study``. The
driver looks there now and then, from a thread of its own, and takes the file away once it has heard: that is its
answer. What it then does is in the journal.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable

from raytune_nn.store.folder import StudyFolder

FOLDER = ".stop"
STUDY = "study"  # in place of a trial's id: all of it
LOOK_SECONDS = 1.0  # between two looks of a driver
BUCKET_SECONDS = 5.0  # the same on an object store, where a look is a request that is paid for
_PATIENCE = 20.0  # a look that takes long (a share) is followed by a pause so many times as long


class StopRequests:
    """Those for one study.

    Args:
        folder: Of the study. All methods raise OSError.
    """

    def __init__(self, folder: StudyFolder) -> None:
        self._files, self._folder = folder.files, folder.path / FOLDER

    def ask(self, what: str) -> None:
        """Leaves a request for the driver; asked twice, it is one."""
        self._files.write(self._folder / what, lambda file: file.write(b"stop\n"))

    def waits(self, what: str) -> bool:
        """Whether the driver has not taken it yet."""
        return self._files.has(self._folder / what)

    def names(self) -> list[str]:
        """What is asked for."""
        return [name for name in self._files.names(self._folder) if not name.startswith(".")]

    def take(self, what: str) -> None:
        """Takes a request away, where it is there."""
        self._files.remove(self._folder / what)
        self._files.prune(self._folder)

    def clear(self) -> None:
        """Takes all away: those that an earlier driver did not hear."""
        self._files.remove_folder(self._folder)


class StopListener:
    """The driver's ear; a context around the time in which it can be asked.

    Args:
        folder: Of the study.
        stop_study: Called once where the whole study is to be stopped, from a thread: this process may be busy.
    """

    def __init__(self, folder: StudyFolder, stop_study: Callable[[], None]) -> None:
        self._requests, self._stop_study = StopRequests(folder), stop_study
        self._pause = BUCKET_SECONDS if folder.url else LOOK_SECONDS
        self._heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="stop requests", daemon=True)

    def __enter__(self) -> StopListener:
        with contextlib.suppress(OSError):
            self._requests.clear()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=1.0)  # it may wait for a storage that is away

    def heard(self) -> str | None:
        """The next request; None where there is none, which costs next to nothing. It may come again."""
        return None if self._heard.empty() else self._heard.get()

    def answer(self, what: str) -> None:
        """What was asked is in the journal."""
        with contextlib.suppress(OSError):  # then it is heard again, which changes nothing
            self._requests.take(what)

    def _listen(self) -> None:
        pause, stops = self._pause, False
        while not self._ended.wait(pause):
            began = time.monotonic()
            with contextlib.suppress(OSError):  # the storage is away: the driver's own writes say so
                for what in self._requests.names():
                    self._heard.put(what)
                    if what == STUDY:
                        self._requests.take(what)
                        if not stops:
                            self._stop_study()
                        stops = True
            pause = max(self._pause, _PATIENCE * (time.monotonic() - began))
