"""Signals: the first ends a study in order, the second at once; before the study began, the first does.

SIGTERM and SIGHUP are as Ctrl-C. In order means that trials which run get some seconds to save their states; at once,
that they are cut off. Whatever hangs then, a thread sees to it that the command ends in time.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from types import FrameType
from typing import Any

from raytune_nn.cluster.undisturbed import SIGNALS, signals_wait
from raytune_nn.errors import ConfigError, InterruptedStudyError, RaytuneError
from raytune_nn.study.conductor import Conductor

START_SECONDS = 15.0  # for ending what was started, where a study had not begun
CLOSE_SECONDS = 5.0  # for the end of a study itself: processes and results
HURRY_SECONDS = 4.0  # for all that is left after a second signal; then this process ends as it is
FINAL_SECONDS = 0.05  # in which Python has finalised the object that swallowed what a signal raised

Say = Callable[[str], None]


class Interruption(KeyboardInterrupt):
    """What a signal raises.

    Where a KeyboardInterrupt itself passes a text that Python executes, as one is for each named tuple, Python notes it
    and ends by SIGINT, whatever was made of it since (CPython, pythonrun.c, run_eval_code_obj).
    """


class _Heard(Enum):
    signal = 0
    swallowed = 1  # what a signal raised
    done = 2  # the command


class Signals:
    """Hears the signals to this process; a context around all that a command does, in the main thread.

    Before a study is opened, the first one raises KeyboardInterrupt, and again where Python ignored it or somebody made
    another error of it; while it runs (`interrupting`), it winds the study down; before and after that it is noted,
    since opening and closing come to their ends by themselves; and what is `dispensable` it cuts off.

    Args:
        lasting: Whether this process ends with the command: afterwards signals are ignored, since they come too late to
            change how it ended, instead of handled as before.
    """

    def __init__(self, lasting: bool = False) -> None:
        self._lasting = lasting
        self._count = 0
        self._again = False  # whether the next signal is not one, but what the last one raised is to be raised again
        self._opens = self._dispensable = False
        self._conductor: Conductor | None = None  # of the study that runs
        self._seconds = START_SECONDS  # from the first signal until the end counts as stuck
        self._grace = 0.0
        self._say: Say = _say_nothing
        self._heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()  # may be used in a handler, as an Event may not
        self._earlier: dict[signal.Signals, Any] = {}
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="signals")

    @property
    def came(self) -> bool:
        """Whether there was any."""
        return self._count > 0

    def __enter__(self) -> Signals:
        self._terminals = [number for number in (1, 2) if os.isatty(number)]
        with signals_wait():  # where they wait for a while, not even this thread takes them
            self._watcher.start()
        self._ignore, sys.unraisablehook = sys.unraisablehook, self._ignored
        for number in SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._earlier[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        for number in self._earlier:
            signal.signal(number, signal.SIG_IGN)
        sys.unraisablehook = self._ignore
        self._heard.put(_Heard.done)
        self._watcher.join()  # until then it may raise a signal of its own
        if not self._lasting:
            for number, handler in self._earlier.items():
                signal.signal(number, handler)
        told = isinstance(error, RaytuneError) and not isinstance(error, ConfigError)  # it is what it says
        if isinstance(error, Exception) and not told and self.came and not self._opens:
            raise Interruption from error

    def check(self) -> None:
        """Raises once more, where a library, such as OmegaConf, may have swallowed that and gone on with half a value.

        Raises:
            KeyboardInterrupt: A signal came.
        """
        if self.came:
            raise Interruption

    def opening(self) -> None:
        """A study is about to be opened: from here on nothing is left half made.

        Raises:
            KeyboardInterrupt: As `check`.
        """
        self.check()
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
            self.check()
            yield
        finally:
            self._dispensable = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self._again = self._again, False
        if not again:
            self._count += 1
            if number == signal.SIGHUP:
                self._hang_up()
            self._heard.put(_Heard.signal)
        if self._conductor is None:
            if self._dispensable or (not self._opens and (again or self._count == 1)):
                raise Interruption
        elif self._count == 1 and not again:
            self._conductor.interrupt(self._grace)
        elif self._count == 2:
            self._conductor.interrupt()
            raise Interruption

    def _ignored(self, error: sys.UnraisableHookArgs) -> None:
        """Python only prints what is raised where it finalises an object, as imports do all the time."""
        if error.exc_type is Interruption:
            self._heard.put(_Heard.swallowed)
        else:
            self._ignore(error)

    def _hang_up(self) -> None:
        """The terminal is gone, and each word to it would be an error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in self._terminals:
            os.dup2(nowhere, number)
        os.close(nowhere)

    def _watch(self) -> None:
        """Says what the first signal does, and sees to it that the command ends in time."""
        if not self._hears_signal(None):
            return
        self._say(_what_happens(self._grace))
        try:
            goes_on = self._hears_signal(self._seconds)
        except queue.Empty:
            goes_on = True
            _signal_main()
        end = time.monotonic() + HURRY_SECONDS
        while goes_on:
            try:
                goes_on = self._hears_signal(end - time.monotonic())
            except queue.Empty:
                os._exit(InterruptedStudyError.exit_code)  # as if it were killed: the journal has all that matters

    def _hears_signal(self, seconds: float | None) -> bool:
        """Waits for one; False: the command is done.

        Raises:
            queue.Empty: So many seconds went by.
        """
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            heard = self._heard.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
            if heard is not _Heard.swallowed:
                return heard is _Heard.signal
            time.sleep(FINAL_SECONDS)
            self._again = True
            _signal_main()


def _signal_main() -> None:
    """As if a signal came again."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _what_happens(grace_seconds: float) -> str:
    if not grace_seconds:
        return "interrupted: leaving at once"
    saving = f"trials that run save their states, which may take up to {grace_seconds:g} s"
    return f"interrupted: {saving}; a second signal leaves at once"


def _say_nothing(text: str) -> None:
    """Before the study runs there is nothing to explain."""
