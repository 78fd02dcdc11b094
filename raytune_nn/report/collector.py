"""Python's collector of cycles, and why a study is read without it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collector() -> Iterator[None]:
    """While inside, cycles are not searched for.

    The events of a journal are a million objects in trees, without cycles. The collector would look at all of them
    whenever somewhat more objects are there: a fifth of the time that a report takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
