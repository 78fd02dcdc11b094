"""Signals: the first ends a study in order, the second at once; before the study began, the first does.

SIGTERM and SIGHUP are as Ctrl-C. In order means that trials which run get some seconds to save their states; at once,
that they are cut off. Whatever hangs then, a thread sees to it that the command ends in time.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from raytune_nn.errors import InterruptedStudyError, RaytuneError
from raytune_nn.study.conductor import Conductor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_SECONDS = 15.0  # for ending what was started, where a study had not begun
CLOSE_SECONDS = 5.0  # for the end of a study itself: processes and results
HURRY_SECONDS = 4.0  # for all that is left after a second signal; then this process ends as it is

Say = Callable[[str], None]


class Signals:
    """Hears the signals to this process; a context around all that a command does, in the main thread.

    Before a study is opened, the first one raises KeyboardInterrupt; while it runs (`interrupting`), it winds the study
    down; before and after that it is noted, since opening and closing come to their ends by themselves; and what is
    `dispensable` it cuts off.

    Args:
        lasting: Whether this process ends with the command: afterwards signals are ignored, since they come too late to
            change how it ended, instead of handled as before.
    """

    def __init__(self, lasting: bool = False) -> None:
        self._lasting = lasting
        self._count = 0
        self._opens = self._dispensable = False
        self._conductor: Conductor | None = None  # of the study that runs
        self._seconds = START_SECONDS  # from the first signal until the end counts as stuck
        self._grace = 0.0
        self._say: Say = _say_nothing
        self._heard: queue.SimpleQueue[bool] = queue.SimpleQueue()  # may be used in a handler, as an Event may not
        self._earlier: dict[signal.Signals, Any] = {}
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="signals")

    @property
    def came(self) -> bool:
        """Whether there was any."""
        return self._count > 0

    def __enter__(self) -> Signals:
        self._terminals = [number for number in (1, 2) if os.isatty(number)]
        self._watcher.start()
        for number in SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._earlier[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, signal.SIG_IGN if self._lasting else handler)
        self._heard.put(False)
        self._watcher.join()

    def opening(self) -> None:
        """A study is about to be opened: from here on nothing is left half made."""
        self._opens = True

    @contextmanager
    def interrupting(self, conductor: Conductor, grace_seconds: float, say: Say, alone: bool = False) -> Iterator[None]:
        """While inside, the first signal winds the study down, and the second leaves this block at once.

        Args:
            grace_seconds: For running trials to save their states.
            say: Called from another thread with what happens, for the user.
            alone: Whether nobody looks at the clock while a training trains: after the grace, this block is left.
        """
        self._grace, self._say = grace_seconds, say
        self._seconds = grace_seconds + (0.0 if alone else CLOSE_SECONDS)
        self._conductor = conductor
        try:
            if self.came:
                conductor.interrupt()
            yield
        except KeyboardInterrupt:
            if self._count < 2:
                raise
        except Exception as error:  # of Ray, where it was told as well, and went first
            if isinstance(error, RaytuneError) or not self.came:
                raise
        finally:
            self._conductor, self._say = None, _say_nothing

    @contextmanager
    def dispensable(self) -> Iterator[None]:
        """While inside, a signal changes nothing but that this block is left; so does one that came before.

        Raises:
            KeyboardInterrupt: It was left.
        """
        self._dispensable = True
        try:
            if self.came:
                raise KeyboardInterrupt
            yield
        finally:
            self._dispensable = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if number == signal.SIGHUP:
            self._hang_up()
        self._heard.put(True)
        if self._conductor is None:
            if self._dispensable or (self._count == 1 and not self._opens):
                raise KeyboardInterrupt
        elif self._count == 1:
            self._conductor.interrupt(self._grace)
        elif self._count == 2:
            self._conductor.interrupt()
            raise KeyboardInterrupt

    def _hang_up(self) -> None:
        """The terminal is gone, and each word to it would be an error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in self._terminals:
            os.dup2(nowhere, number)
        os.close(nowhere)

    def _watch(self) -> None:
        """Says what the first signal does, and sees to it that the command ends in time."""
        signal.pthread_sigmask(
            signal.SIG_BLOCK, SIGNALS
        )  # where they wait for a while, not even this thread takes them
        if not self._heard.get():
            return
        self._say(_what_happens(self._grace))
        try:
            goes_on = self._heard.get(timeout=self._seconds)
        except queue.Empty:
            goes_on = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)  # as if it came again
        end = time.monotonic() + HURRY_SECONDS
        while goes_on:
            try:
                goes_on = self._heard.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                os._exit(InterruptedStudyError.exit_code)  # as if it were killed: the journal has all that matters


def _what_happens(grace_seconds: float) -> str:
    if not grace_seconds:
        return "interrupted: leaving at once"
    saving = f"trials that run save their states, which may take up to {grace_seconds:g} s"
    return f"interrupted: {saving}; a second signal leaves at once"


def _say_nothing(text: str) -> None:
    """Before the study runs there is nothing to explain."""
