"""Signals: the first ends a study in order, the second at once; before the study began, the first does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from raytune_nn.study.conductor import Conductor


@contextmanager
def terminable() -> Iterator[None]:
    """While inside, SIGTERM raises KeyboardInterrupt as SIGINT does, so that what was started ends in order."""
    earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


@contextmanager
def interruptible(conductor: Conductor) -> Iterator[threading.Event]:
    """While inside, SIGINT and SIGTERM end the study in order; yields whether one came.

    A second signal gets the usual treatment, at once.
    """
    interrupted = threading.Event()
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        conductor.interrupt()
        for each, handler in earlier.items():
            signal.signal(each, handler)

    for number in earlier:
        signal.signal(number, handle)
    try:
        yield interrupted
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
