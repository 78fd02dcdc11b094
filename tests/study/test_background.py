"""Work that a command which ends early does not wait for."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from raytune_nn.cluster.undisturbed import SIGNALS
from raytune_nn.study.background import in_background

ENDS_EARLY = """
import threading
from raytune_nn.study.background import in_background

began = threading.Event()
def waits() -> None:
    began.set()
    threading.Event().wait()

result = in_background(waits, "waits")
began.wait()
"""


def test_its_result_is_there_when_asked_for() -> None:
    assert in_background(lambda: 3, "three").result(10) == 3


def test_its_error_is_that_of_who_asks() -> None:
    def fails() -> None:
        raise OSError("no such share")

    with pytest.raises(OSError, match="no such share"):
        in_background(fails, "fails").result(10)


def test_signals_are_not_for_its_thread() -> None:
    """It would take those that wait for the main one while Ray starts."""
    assert in_background(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()), "hears").result(10) >= set(SIGNALS)
    assert not set(SIGNALS) & signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_process_ends_without_it() -> None:
    """As where a share does not answer, or a signal came while it began."""
    assert subprocess.run([sys.executable, "-c", ENDS_EARLY], timeout=60).returncode == 0
