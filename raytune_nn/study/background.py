"""Work beside the start of a cluster, which a command that ends early does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from raytune_nn.cluster.undisturbed import signals_wait

T = TypeVar("T")


def in_background(work: Callable[[], T], name: str) -> Future[T]:
    """Does ``work`` in a thread of this name and says where its result or its error will be.

    Not by an executor: Python waits for its threads when it ends, for ever where a signal came just as one began, and
    as long as a share does not answer where one reads from it. Signals are not for this thread: it would take those
    that the main one lets wait.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # it belongs to whoever asks for the result
            result.set_exception(error)

    with signals_wait():  # the thread inherits it
        threading.Thread(target=run, name=name, daemon=True).start()
    return result
