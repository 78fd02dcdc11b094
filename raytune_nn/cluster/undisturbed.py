"""Ray is imported and starts undisturbed by signals, and ends so: one that comes meanwhile is heard afterwards.

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

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # that end a command


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """While inside, signals wait for this thread; for those that are started here they always do."""
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def import_ray() -> None:
    """Imports Ray while signals wait: after half an import, what Ray does when Python ends fails with a traceback."""
    with signals_wait():
        import ray  # noqa: F401


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """While inside, signals wait; Ray's processes get a session of their own.

    A signal to the whole process group, as `timeout` and many batch systems send it, ends Ray under the driver, whose
    next call to it then waits for a minute: the study has to be told by the driver alone, which ends Ray in order.
    """
    from ray._private import services, utils

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    start = functools.partial(_start_apart, services.ConsolePopen)
    with signals_wait():
        try:
            with mock.patch.object(services, "ConsolePopen", start), mock.patch.object(utils, "set_sigterm_handler"):
                yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)  # Ray's C++ answers SIGTERM from here on, unless Python sets this again


def end_ray() -> None:
    """Ends this process's part in Ray, and its own Ray where it has one; nothing where there is none.

    Ray's C++ leaves SIGTERM to the system, which ends this process on the spot, and its processes take a second to end
    after that: so Python answers SIGTERM again once the C++ is done, which is when Ray forgets the cluster's state.
    """
    import ray
    from ray._private.state import state

    handler = signal.getsignal(signal.SIGTERM)
    disconnect = state.disconnect

    def answer() -> None:
        signal.signal(signal.SIGTERM, handler)
        disconnect()  # type: ignore[no-untyped-call]

    with mock.patch.object(state, "disconnect", answer):
        ray.shutdown()
    signal.signal(signal.SIGTERM, handler)  # whatever way it ended


def _start_apart(
    popen: Callable[..., subprocess.Popen[bytes]], *arguments: Any, preexec_fn: Callable[[], None], **keywords: Any
) -> subprocess.Popen[bytes]:
    def in_child() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        preexec_fn()

    return popen(*arguments, preexec_fn=in_child, start_new_session=True, **keywords)
