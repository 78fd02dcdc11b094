"""The driver is killed at random moments, again and again: the same command, started at once, goes on."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import TIMEOUT, Finished, Place, events, new_place, rows, summary

TRIALS = 6
RANDOM = ("+search=random", "study.name=first", f"budget.num_trials={TRIALS}", "budget.max_epochs=12")
ASHA = ("+search=asha", "cluster.cpus=1", *RANDOM[1:])  # one slot: its decisions have one order
OFTEN = "checkpoints.every_minutes=0.002"
GONE_SECONDS = 20.0  # from a driver's death to that of the last process and of the folder; of itself Ray takes a minute

Moment = Callable[[Place], bool]


def heard(count: int) -> Moment:
    """Once so many more events are in the journal than when it is first asked."""
    before: list[int] = []

    def reached(place: Place) -> bool:
        now = len(_events(place))
        before.append(now)
        return now - before[0] >= count

    return reached


def passed(seconds: float) -> Moment:
    end: list[float] = []

    def reached(place: Place) -> bool:
        end.append(time.monotonic() + seconds)
        return time.monotonic() >= end[0]

    return reached


def closed(place: Place) -> bool:
    """The journal is complete, and the results are being written."""
    found = _events(place)
    return bool(found) and found[-1]["type"] == "closed"


def _events(place: Place, type: str = "") -> list[dict[str, Any]]:
    return events(place.study(), type)


def kill_at(place: Place, command: tuple[str, ...], moment: Moment, *first: str) -> bool:
    """Runs the command, and at that moment kills it; returns whether it had not ended before.

    Args:
        first: Of its processes, those with one of these words in their names are treated before: ``slot`` is stopped,
            ``reaper`` killed.
    """
    with place.start(*command) as process:
        while process.poll() is None and not moment(place):
            time.sleep(0.01)
        if "slot" in first:
            _send(signal.SIGSTOP, place, "ray::ResourceTrainable")
        if "reaper" in first:
            _send(signal.SIGKILL, place, "reaper.py")
        killed = process.poll() is None
        process.kill()
        process.communicate(timeout=TIMEOUT)
    assert process.returncode in (0, -signal.SIGKILL)
    return killed


def _send(number: int, place: Place, word: str) -> None:
    mark = f"TMPDIR={place.temporary}\0".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() and word in (folder / "cmdline").read_text():
                os.kill(int(folder.name), number)
        except OSError:
            continue


def check_gone(place: Place) -> None:
    began = time.monotonic()
    while place.processes() or any(place.temporary.glob("rtnn-*")):
        left = place.processes(), sorted(place.temporary.glob("rtnn-*"))
        assert time.monotonic() - began < GONE_SECONDS, left
        time.sleep(0.02)


def check_whole(place: Place, ran: Finished) -> None:
    """Nothing is lost, nothing is twice, and no more was done again than since the last checkpoint."""
    assert ran.code == 0, ran.err
    assert summary(place.study())["status"] == "complete"
    names = [str(number) for number in range(TRIALS)]
    assert [row["trial"] for row in rows(place.study())] == names
    assert sorted(event["trial"] for event in _events(place, "ended")) == names
    assert [event["trial"] for event in _events(place, "suggested")] == names
    _check_repeated(_events(place))
    check_gone(place)
    assert (place.processes(), place.leftovers()) == ([], [])
    assert list(place.study().rglob(".*.draft")) == []


def _check_repeated(found: list[dict[str, Any]]) -> None:
    saved: dict[str, int] = {}
    metrics: dict[tuple[str, int], Any] = {}
    ended: set[str] = set()
    for event in found:
        trial = event.get("trial", "")
        assert trial not in ended, "what came to its end is left alone"
        if event["type"] == "started":
            assert event.get("epoch", 0) == saved.get(trial, 0), "it goes on from its last checkpoint"
        elif event["type"] == "reported":
            again = metrics.setdefault((trial, event["epoch"]), event["metrics"])
            assert again == event["metrics"], "what is done again comes out the same, to the last bit"
            if event.get("saved"):
                saved[trial] = event["epoch"]
        elif event["type"] == "ended":
            ended.add(trial)


def table(place: Place) -> list[dict[str, str]]:
    """What the trials came to; how long they took is no two times the same."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows(place.study())]


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    for name in ("killed", "uncut"):
        (tmp_path / name).mkdir()
    with new_place(tmp_path / "killed") as killed, new_place(tmp_path / "uncut") as uncut:
        yield killed, uncut


@pytest.mark.slow
def test_a_killed_driver_leaves_nothing_running_and_loses_nothing(places: tuple[Place, Place]) -> None:
    """First with slots that are stopped and cannot see it, then without its reaper."""
    place, uncut = places
    command = (*RANDOM, OFTEN)
    assert kill_at(place, command, heard(12), "slot")
    check_gone(place)
    assert summary(place.study())["status"] == "running"
    assert kill_at(place, command, heard(25), "reaper")
    assert len(list(place.temporary.glob("rtnn-*"))) == 1, "nobody was there to remove it"
    check_whole(place, place.run(*command))
    assert len(_events(place, "opened")) == 3
    assert uncut.run(*RANDOM).code == 0
    assert table(place) == table(uncut)


@pytest.mark.slow
@pytest.mark.parametrize("command", [(*RANDOM, OFTEN), ASHA], ids=["random", "asha"])
@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_moments_change_no_result(
    command: tuple[str, ...], seed: int, places: tuple[Place, Place]
) -> None:
    place, uncut = places
    whole = uncut.run(*command)
    assert whole.code == 0, whole.err
    drawn = random.Random(seed)
    early = [passed(drawn.uniform(0, 4)) for _ in range(3)]  # before Ray is up, or while it starts
    later = [heard(drawn.randrange(1, 40)) for _ in range(4)]
    for moment in [*early, *later]:
        kill_at(place, command, moment, *drawn.choice([(), (), ("slot",), ("reaper",)]))
    kill_at(place, command, closed)
    check_whole(place, place.run(*command))
    assert table(place) == table(uncut)


@pytest.mark.slow
def test_kills_at_each_stage_of_the_start_leave_nothing(places: tuple[Place, Place]) -> None:
    place, _ = places
    for tenths in range(0, 40, 4):
        kill_at(place, RANDOM, passed(tenths / 10))
        check_gone(place)
    check_whole(place, place.run(*RANDOM))
