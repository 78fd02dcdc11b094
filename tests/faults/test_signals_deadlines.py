"""Signals where something does not come to its end by itself: long epochs, a Ray that was told as well, the start."""

from __future__ import annotations

import functools
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import PYTHON, TIMEOUT, Place, hear_hangups, new_place, rows, summary, write_scripted
from signalled import BUSY, check_left, journal, reports, saved_last, signalled, trained_twice

from raytune_nn.study.interrupt import CLOSE_SECONDS, HURRY_SECONDS

LONG = """

class Slow(Scripted):
    def training_step(self, batch, batch_idx):
        time.sleep(600 if self.current_epoch and self.attempt < 2 else 0)
        return super().training_step(batch, batch_idx)
"""
TERM = signal.SIGTERM


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def study(place: Place, *more: str, module: str = LONG) -> tuple[str, ...]:
    search = ("+search=random", "search_space=scripted", "budget.num_trials=2", "budget.max_epochs=3")
    return (*write_scripted(place, module), *search, "cluster.cpus=2", *more)


@pytest.mark.parametrize(
    ("grace", "signals", "most"),
    [
        (60, (TERM, TERM, TERM), 0.3 + HURRY_SECONDS),
        pytest.param(3, (TERM,), 3 + CLOSE_SECONDS + HURRY_SECONDS, marks=pytest.mark.slow),
        pytest.param(0, (TERM,), CLOSE_SECONDS + HURRY_SECONDS, marks=pytest.mark.slow),
    ],
)
def test_nobody_waits_for_a_long_epoch(
    place: Place, grace: int, signals: tuple[signal.Signals, ...], most: float
) -> None:
    command = study(place, f"cluster.grace_seconds={grace}")
    ended = signalled(place, command, lambda: len(reports(place)) == 2, *signals)
    assert ended.seconds < most + BUSY
    check_left(place, ended, "0 of 2 running trials saved their states, the rest is trained again")
    if len(signals) == 1 and grace:
        again = place.run(*command)
        assert again.code == 0, again.err
        assert [row["epochs"] for row in rows(place.study())] == ["3", "3"]
        assert trained_twice(place) == {"0": 1, "1": 1}


@pytest.mark.slow
def test_a_signal_to_rays_own_processes_as_well(place: Place) -> None:
    """As where a whole container or control group is told."""

    def to_all(process: subprocess.Popen[str], number: signal.Signals) -> None:
        mark = f"TMPDIR={place.temporary}\0".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    os.kill(int(folder.name), number)
            except OSError:  # it ended meanwhile, or is somebody else's
                continue

    command = study(place, "cluster.grace_seconds=5")
    ended = signalled(place, command, lambda: len(reports(place)) == 2, TERM, send=to_all)
    assert ended.code == 75, ended.err
    assert ended.seconds < 5 + CLOSE_SECONDS + HURRY_SECONDS + BUSY
    place.until_empty()
    again = place.run(*command)
    assert again.code == 0, again.err
    assert [row["epochs"] for row in rows(place.study())] == ["3", "3"]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
def test_a_signal_before_the_first_report(place: Place, seconds: float) -> None:
    with place.start("+search=random", "study.name=first") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        time.sleep(seconds)  # somewhere in the start of Ray or, on a fast machine, of the first trials
        process.terminate()
        out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 75, err
    assert "SIGTERM" not in out + err, "Ray's own answer has a trace of its stack"
    assert "Traceback" not in out + err
    if "interrupted before the study began; nothing was created" in err:
        assert list(place.work.iterdir()) == []
    else:
        assert summary(place.study())["status"] == "interrupted"
    place.until_empty()


@pytest.mark.slow
def test_a_terminal_that_is_closed(place: Place) -> None:
    paced = LONG.replace("600", "0.3")
    arguments = study(place, "checkpoints.every_minutes=null", "budget.max_epochs=20", module=paced)
    child, terminal = pty.fork()
    if child == 0:
        hear_hangups()
        os.chdir(place.work)
        os.execve(PYTHON[0], [*PYTHON, *arguments], place._variables())
    reading = functools.partial(os.read, terminal, 65536)
    os.set_blocking(terminal, False)
    end = time.monotonic() + TIMEOUT
    while len(reports(place)) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
        try:
            reading()
        except BlockingIOError:
            continue
    os.close(terminal)  # the driver gets a SIGHUP, and an error for each word from now on
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 75
    assert summary(place.study())["status"] == "interrupted"
    assert all(saved_last(place).values())
    assert (place.leftovers(), place.processes()) == ([], [])
    assert place.run(*arguments).code == 0
    assert trained_twice(place) == {}


@pytest.mark.slow
@pytest.mark.parametrize("more", [("resources.workers=2", "cluster.cpus=4"), ("objective.folds=3", "data=digits")])
def test_workers_and_folds_save_too(place: Place, more: tuple[str, ...]) -> None:
    command = ("+search=random", "study.name=first", "budget.num_trials=2", "budget.max_epochs=40", *more)
    command = (*command, "checkpoints.every_minutes=null", "cluster.grace_seconds=60")
    ended = signalled(place, command, lambda: len(reports(place)) >= 2, TERM)
    assert ended.code == 75, ended.err
    assert all(saved_last(place).values())
    again = place.run(*command)
    assert again.code == 0, again.err
    assert trained_twice(place) == {}
    before = rows(place.study())
    assert place.run(*command[:1], "study.name=whole", *command[2:]).code == 0
    after = rows(place.study("whole"))
    assert [(row["value"], row["epochs"]) for row in before] == [(row["value"], row["epochs"]) for row in after]


@pytest.mark.slow
def test_a_signal_that_comes_too_late_changes_nothing(place: Place) -> None:
    command = ("+search=random", "study.name=first", "budget.num_trials=1", "budget.max_epochs=2")
    ended = signalled(place, command, lambda: any(event["type"] == "closed" for event in journal(place)), TERM)
    assert ended.code == 0, ended.err
    assert summary(place.study())["status"] == "complete"
    assert (place.leftovers(), place.processes()) == ([], [])
