"""One driver a study, across processes; those of another machine have another boot id here."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raytune_nn.errors import UnusableError
from raytune_nn.store import holder, lease
from raytune_nn.store.lease import Lease

HOLD = """
import sys, time
from pathlib import Path
from raytune_nn.errors import UnusableError
from raytune_nn.store import holder, lease
boot, lease.BEAT_SECONDS, lease.TTL_SECONDS, lease.LOOK_SECONDS = sys.argv[2], 0.1, 0.6, 0.05
if boot:
    holder._boot = lambda: boot
held = lease.Lease(Path(sys.argv[1]), "python -m raytune_nn +search=asha")
print("held", flush=True)
for line in sys.stdin:
    try:
        held.check() if line == "check\\n" else held.release()
        print("done", flush=True)
    except UnusableError as error:
        print(str(error).replace("\\n", " "), flush=True)
"""


class Other:
    """Another process that holds the lease, and does as it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.pid = process, process.pid

    def answer(self, word: str = "") -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if word:
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def other(folder: Path, boot: str = "") -> Iterator[Other]:
    command = [sys.executable, "-c", HOLD, str(folder), boot]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            one = Other(process)
            assert one.answer() == "held"
            yield one
        finally:
            process.kill()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("BEAT_SECONDS", 0.1), ("TTL_SECONDS", 0.6), ("LOOK_SECONDS", 0.05)):
        monkeypatch.setattr(lease, name, seconds)


@contextmanager
def no_locks() -> Iterator[None]:
    """As on a share whose locks reach one machine only, or none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", lambda file, operation: None)
        yield


def test_a_second_driver_is_refused_and_told_who_holds_the_study(tmp_path: Path) -> None:
    with other(tmp_path) as first:
        for _ in range(2):  # being refused changes nothing
            began = time.monotonic()
            with pytest.raises(UnusableError, match="one driver at a time") as caught:
                Lease(tmp_path)
            assert time.monotonic() - began < 1
            assert f"{tmp_path} is held by pid {first.pid} of " in str(caught.value)
            assert "since 20" in str(caught.value)
            assert "python -m raytune_nn +search=asha" in str(caught.value)
            assert caught.value.exit_code == 4
        assert first.answer("check") == "done"


def test_a_driver_that_is_stopped_holds_its_study(tmp_path: Path, fast: None) -> None:
    """On this machine it is seen to live, however long it is stopped."""
    with other(tmp_path) as first:
        first.process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        with pytest.raises(UnusableError, match=rf"pid {first.pid} \(stopped\)"):
            Lease(tmp_path)
        first.process.send_signal(signal.SIGCONT)
        assert first.answer("check") == "done"


@pytest.mark.parametrize("locks", [True, False])
def test_a_driver_that_was_killed_holds_nothing(locks: bool, tmp_path: Path) -> None:
    with other(tmp_path) as first:
        first.process.kill()
        first.process.wait(10)
    began = time.monotonic()
    with contextlib.nullcontext() if locks else no_locks():
        held = Lease(tmp_path)
    assert time.monotonic() - began < 1
    with pytest.raises(UnusableError, match=f"held by pid {os.getpid()}"):
        Lease(tmp_path)
    held.check()
    held.release()


def test_a_released_study_is_free(tmp_path: Path) -> None:
    with other(tmp_path) as first:
        assert first.answer("release") == "done"
        Lease(tmp_path).release()
        Lease(tmp_path).release()
    assert (tmp_path / ".lease").read_text() == ""
    assert [path.name for path in tmp_path.iterdir()] == [".lease"]


def test_one_process_cannot_hold_a_study_twice(tmp_path: Path) -> None:
    held = Lease(tmp_path)
    with pytest.raises(UnusableError):
        Lease(tmp_path)
    held.release()
    Lease(tmp_path).release()


def test_a_folder_that_cannot_be_written_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(UnusableError, match="No such file"):
        Lease(tmp_path / "none")


@pytest.mark.parametrize("locks", [True, False])
def test_a_driver_on_another_machine_is_believed_by_its_heartbeat(locks: bool, tmp_path: Path, fast: None) -> None:
    said: list[str] = []
    with other(tmp_path, boot="another") as first:
        for _ in range(2):
            with (
                contextlib.nullcontext() if locks else no_locks(),
                pytest.raises(UnusableError, match=rf"held by pid {first.pid}"),
            ):
                Lease(tmp_path, tell=said.append)
        assert first.answer("check") == "done"
    assert len(said) == 2
    assert "waiting up to 0.6 s for a sign of life" in said[0]


@pytest.mark.parametrize("locks", [True, False])
def test_a_dead_driver_on_another_machine_loses_its_study_after_a_while(
    locks: bool, tmp_path: Path, fast: None
) -> None:
    said: list[str] = []
    with other(tmp_path, boot="another") as first:
        first.process.kill()
        first.process.wait(10)
    began = time.monotonic()
    with contextlib.nullcontext() if locks else no_locks():
        held = Lease(tmp_path, tell=said.append)
    assert 0.6 <= time.monotonic() - began < 3
    assert said[-1] == "no sign of life: this driver takes the study over"
    with pytest.raises(UnusableError, match=rf"held by pid {os.getpid()}"):
        Lease(tmp_path)
    held.release()


def test_a_suspended_driver_finds_that_its_study_was_taken_over(tmp_path: Path, fast: None) -> None:
    """Its lock is still there, and does not help it: the machine that took over could not see that."""
    with other(tmp_path, boot="another") as first:
        first.process.send_signal(signal.SIGSTOP)
        held = Lease(tmp_path)
        first.process.send_signal(signal.SIGCONT)
        answer = first.answer("check")
        assert "gives no sign of life for 0.6 s loses its study" in answer
        assert f"taken over by pid {os.getpid()}" in answer
        time.sleep(0.3)
        held.check()
        assert first.answer("release") == "done"
        held.check()
        held.release()
        assert "loses its study" in first.answer("check")
    assert [path.name for path in tmp_path.iterdir()] == [".lease"]


def test_what_took_it_over_may_have_ended_since(tmp_path: Path, fast: None) -> None:
    with other(tmp_path, boot="another") as first:
        first.process.send_signal(signal.SIGSTOP)
        Lease(tmp_path).release()
        first.process.send_signal(signal.SIGCONT)
        assert "loses its study" in first.answer("check")


def test_a_container_of_this_machine_is_seen_by_its_lock(
    tmp_path: Path, fast: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with other(tmp_path) as first:
        monkeypatch.setattr(holder, "_namespace", lambda: "pid:[1]")
        with pytest.raises(UnusableError, match=rf"held by pid {first.pid}"):
            Lease(tmp_path, tell=said.append)
        first.process.kill()
        first.process.wait(10)
    Lease(tmp_path, tell=said.append).release()
    assert said == []


def test_of_two_that_wait_for_the_same_dead_driver_one_gets_the_study(tmp_path: Path, fast: None) -> None:
    with other(tmp_path, boot="another") as first:
        first.process.kill()
        first.process.wait(10)
    got: list[Lease | UnusableError] = []

    def take() -> None:
        try:
            got.append(Lease(tmp_path))
        except UnusableError as error:
            got.append(error)

    with no_locks():
        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    held = [one for one in got if isinstance(one, Lease)]
    assert len(held) <= 1
    for one in held:
        one.check()
        one.release()


def test_a_driver_whose_heart_cannot_beat_looks_before_it_writes(
    tmp_path: Path, fast: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 60.0)
    held = Lease(tmp_path)
    before = (tmp_path / ".lease").read_bytes()
    held.check()
    assert (tmp_path / ".lease").read_bytes() == before, "it has just begun"
    time.sleep(0.4)
    held.check()
    assert (tmp_path / ".lease").read_bytes() != before
    (tmp_path / ".lease").write_text("another's")
    held.check()
    time.sleep(0.4)
    with pytest.raises(UnusableError, match="loses its study"):
        held.check()
    held.release()


def test_where_there_are_no_locks_a_driver_of_this_machine_is_seen_by_its_pid(
    tmp_path: Path, fast: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    Lease(tmp_path).release()
    with other(tmp_path) as first:
        with pytest.raises(UnusableError, match=f"held by pid {first.pid}"):
            Lease(tmp_path)
        first.process.kill()
        first.process.wait(10)
    held = Lease(tmp_path)
    held.check()
    held.release()
