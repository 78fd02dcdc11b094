"""What a driver leaves of its private Ray when it is killed: nothing, by its reaper or by the next driver."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from raytune_nn.cluster import reaper
from raytune_nn.cluster.private_folder import private_folder, remove_orphans
from raytune_nn.cluster.reaper import VARIABLE
from raytune_nn.store.holder import Holder, this_process

DRIVER = """
import os, signal, subprocess, sys
from raytune_nn.cluster import reaper
from raytune_nn.cluster.private_folder import private_folder
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
with private_folder() as folder:
    ours = [
        subprocess.Popen(SLEEP),
        subprocess.Popen(SLEEP, start_new_session=True, env={**os.environ, "OTHER": "1"}),
        subprocess.Popen([*SLEEP, folder], start_new_session=True),
    ]
    if (forked := os.fork()) == 0:
        os.setsid()
        os.execv(sys.executable, SLEEP)
    os.kill(ours[0].pid, signal.SIGSTOP)
    open(os.path.join(folder, "file"), "w").close()
    os.mkdir(os.path.join(folder, "r"))
    print(folder, forked, *[process.pid for process in ours], flush=True)
    if sys.stdin.readline() == "raise\\n":
        raise KeyboardInterrupt
"""


@dataclass
class Driver:
    process: subprocess.Popen[str]
    folder: Path

    def reaper(self) -> int:
        """Its pid."""
        [found] = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"reaper.py\0" + os.fsencode(self.folder) in _read(path)
        ]
        return found

    def belongings(self) -> list[str]:
        mark = os.fsencode(f"\0{VARIABLE}={self.folder}\0")
        return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if mark in b"\0" + _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that is short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="rtp-", dir="/tmp") as short:
        monkeypatch.setattr("tempfile.tempdir", short)
        yield Path(short)


@contextmanager
def driver(place: Path) -> Iterator[Driver]:
    environment = {**os.environ, "TMPDIR": str(place)}
    command = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        folder, *pids = process.stdout.readline().split()
        try:
            yield Driver(process, Path(folder))
        finally:
            for pid in (process.pid, *map(int, pids)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_killed_driver_takes_everything_with_it(place: Path) -> None:
    with driver(place) as one, driver(place) as another:
        assert one.folder.parent == place
        assert len(one.belongings()) == 4, "also what made itself a session, and what is stopped"
        watching = one.reaper()
        one.process.kill()
        assert within(20, lambda: one.belongings() == [] and not one.folder.exists())
        assert within(20, lambda: not Path(f"/proc/{watching}").exists())
        assert len(another.belongings()) == 4
        assert another.folder.exists()


def test_a_signal_to_a_whole_control_group_does_not_end_the_reaper(place: Path) -> None:
    with driver(place) as one:
        watching = one.reaper()
        assert within(20, lambda: _ignores(watching, signal.SIGTERM))
        os.kill(watching, signal.SIGTERM)
        one.process.kill()
        assert within(20, lambda: one.belongings() == [] and not one.folder.exists())


def _ignores(pid: int, number: signal.Signals) -> bool:
    """As the kernel shows it."""
    [ignored] = re.findall(r"^SigIgn:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(ignored, 16) & 1 << (number - 1))


@pytest.mark.parametrize("word", ["end", "raise"])
def test_a_driver_that_ends_takes_everything_with_it(word: str, place: Path) -> None:
    with driver(place) as one:
        watching = one.reaper()
        assert one.process.stdin is not None
        one.process.stdin.write(f"{word}\n")
        one.process.stdin.flush()
        one.process.wait(10)
        assert one.belongings() == []
        assert not Path(f"/proc/{watching}").exists()
        assert list(place.iterdir()) == []


def test_what_a_killed_reaper_leaves_goes_with_the_next_driver(place: Path) -> None:
    outer = os.environ.get(VARIABLE)  # that of a Ray that all tests share
    with driver(place) as dead, driver(place) as living:
        os.kill(dead.reaper(), signal.SIGKILL)
        dead.process.kill()
        dead.process.wait(10)
        time.sleep(0.2)
        assert len(dead.belongings()) == 4, "nobody was there"
        with private_folder() as folder:
            assert dead.belongings() == []
            assert sorted(place.iterdir()) == sorted([living.folder, Path(folder)])
            assert os.environ[VARIABLE] == folder
        assert os.environ.get(VARIABLE) == outer
        assert len(living.belongings()) == 4


def test_a_process_that_shows_nothing_of_itself_yet_is_looked_at_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As between the fork of a process and the end of its exec."""
    folder = place / "rtnn-12345678"
    folder.mkdir()
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command, env={**os.environ, VARIABLE: str(folder)}) as process:
        read, looks = reaper._read, []

        def look(pid: str, name: str) -> bytes:
            if pid != str(process.pid) or name == "stat":
                return read(pid, name)
            looks.append(name)
            return b"" if len(looks) <= 4 else read(pid, name)

        monkeypatch.setattr(reaper, "_read", look)
        try:
            reaper.reap(str(folder))
            assert process.wait(5) == -signal.SIGKILL
        finally:
            process.kill()
    assert looks[:6] == ["cmdline", "environ", "environ", "cmdline", "environ", "environ"]
    assert not folder.exists()


def test_a_process_that_wrote_its_title_over_its_environment_is_known_by_its_open_files(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read = place / "rtnn-12345678", reaper._read
    folder.mkdir()
    (folder / "log").touch()
    script = "import sys, time; kept = open(sys.argv[1]); print(); sys.stdout.flush(); time.sleep(600)"
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
        for path in (folder / "log", Path("/dev/null"), folder / "log")
    ]
    titled = [str(process.pid) for process in processes[:2]]  # the third, such as `tail`, has its environment
    monkeypatch.setattr(
        reaper, "_read", lambda pid, name: b"\0\0" if pid in titled and name == "environ" else read(pid, name)
    )
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        threading.Thread(target=processes[0].wait).start()  # or its pid stays
        reaper.reap(str(folder))
        assert processes[0].wait(5) == -signal.SIGKILL
        assert [process.poll() for process in processes[1:]] == [None, None]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def make(place: Path, holder: Holder | None, name: str = "rtnn-abcdef12") -> Path:
    folder = place / name
    folder.mkdir(mode=0o700)
    (folder / "driver").write_text(holder.to_json() if holder else "")
    (folder / "r").mkdir()
    return folder


DEAD = replace(this_process("python -m raytune_nn"), started="1")


@pytest.mark.parametrize(
    ("holder", "locked", "stays"),
    [
        (DEAD, False, False),
        (this_process(""), False, True),
        (replace(DEAD, namespace="pid:[1]"), False, False),
        (replace(DEAD, namespace="pid:[1]"), True, True),
        (replace(DEAD, boot="another"), False, False),
        (replace(DEAD, boot="another"), True, True),
        (replace(DEAD, boot="another", host="another"), False, True),
    ],
)
def test_only_what_is_certain_to_be_of_a_dead_driver_goes(
    holder: Holder, locked: bool, stays: bool, place: Path
) -> None:
    folder = make(place, holder)
    with (folder / "driver").open() as file:
        if locked:
            fcntl.flock(file, fcntl.LOCK_EX)
        remove_orphans()
    assert folder.exists() is stays


def test_what_is_not_a_drivers_stays(place: Path) -> None:
    elsewhere = make(place, DEAD, "elsewhere")
    (place / "rtnn-12345678").symlink_to(elsewhere)
    (place / "rtnn-12121212").write_text("")
    (place / "rtnn-21212121").mkdir()
    make(place, DEAD, "rtnn-tests-12345678")
    make(place, None, "rtnn-87654321")
    before = sorted(place.iterdir())
    remove_orphans()
    assert sorted(place.iterdir()) == before
