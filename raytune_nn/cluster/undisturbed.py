"""Ray starts undisturbed by signals: one that comes meanwhile is heard once it is there.

A start that is broken off leaves processes behind that nobody knows of; and Ray answers a SIGTERM on its own, with a
trace of its stack. So the signals wait, in this thread and in those that Ray starts, but not in Ray's processes.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

WAITING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """While inside, signals wait; Ray's processes get a session of their own.

    A signal to the whole process group, as `timeout` and many batch systems send it, ends Ray under the driver, whose
    next call to it then waits for a minute: the study has to be told by the driver alone, which ends Ray in order.
    """
    from ray._private import services, utils

    handlers = {number: signal.getsignal(number) for number in WAITING}
    start = functools.partial(_start_apart, services.ConsolePopen)
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, WAITING)
    try:
        with mock.patch.object(services, "ConsolePopen", start), mock.patch.object(utils, "set_sigterm_handler"):
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Ray's C++ answers SIGTERM from here on, unless Python sets this again
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _start_apart(
    popen: Callable[..., subprocess.Popen[bytes]], *arguments: Any, preexec_fn: Callable[[], None], **keywords: Any
) -> subprocess.Popen[bytes]:
    def in_child() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITING)
        preexec_fn()

    return popen(*arguments, preexec_fn=in_child, start_new_session=True, **keywords)
