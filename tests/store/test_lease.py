"""One driver a study, across processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raytune_nn.errors import UnusableError
from raytune_nn.store.lease import Lease

HOLD = """
import sys, time
from pathlib import Path
from raytune_nn.store.lease import Lease
lease = Lease(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
lease.release()
print("released", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_driver_is_refused_and_told_who_holds_the_study(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        for _ in range(2):  # being refused changes nothing
            with pytest.raises(UnusableError, match="one driver at a time") as caught:
                Lease(tmp_path)
            assert f'"pid": {process.pid}' in str(caught.value)
            assert str(tmp_path) in str(caught.value)
            assert caught.value.exit_code == 4


def test_a_driver_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        lease = Lease(tmp_path)
        assert json.loads((tmp_path / ".lease").read_text())["pid"] == os.getpid(), "and its name is gone"
        lease.release()


def test_a_released_study_is_free(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        assert process.stdout.readline() == "released\n"
        Lease(tmp_path).release()
        Lease(tmp_path).release()
    assert (tmp_path / ".lease").read_text() == ""


def test_one_process_cannot_hold_a_study_twice(tmp_path: Path) -> None:
    lease = Lease(tmp_path)
    with pytest.raises(UnusableError):
        Lease(tmp_path)
    lease.release()
    Lease(tmp_path).release()


def test_a_folder_that_cannot_be_written_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(UnusableError, match="No such file"):
        Lease(tmp_path / "none")
