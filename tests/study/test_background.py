"""Work that a command which ends early does not wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


def test_a_process_ends_without_it() -> None:
    """As where a share does not answer, or a signal came while it began."""
    assert subprocess.run([sys.executable, "-c", ENDS_EARLY], timeout=60).returncode == 0
