"""A driver that is killed in the middle of a study; and the same command again."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import TIMEOUT, Place, events, new_place, rows, summary, wait_until

STUDY = ("+search=random", "study.name=first", "budget.num_trials=10", "budget.max_epochs=30")
TRIALS = [str(number) for number in range(10)]
End = Callable[["subprocess.Popen[str]"], None]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def ended(place: Place) -> list[str]:
    """The trials that came to their end, in that order."""
    return [event["trial"] for event in _events(place) if event["type"] == "ended"]


def _events(place: Place) -> list[dict[str, str]]:
    return events(place.study()) if (place.study() / "journal").is_dir() else []


def cut_off(place: Place, end: End) -> tuple[int, str, str]:
    """Starts the study, ends its driver once three trials came to their end, and returns what it left."""
    with place.start(*STUDY) as process:
        wait_until(lambda: len(ended(place)) >= 3 or process.poll() is not None, TIMEOUT)
        assert process.poll() is None, process.communicate()
        end(process)
        out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out, err


def check_the_same_command_goes_on(place: Place, before: list[str]) -> None:
    ran = place.run(*STUDY)
    assert ran.code == 0, ran.err
    assert summary(place.study())["status"] == "complete"
    assert summary(place.study())["counts"]["complete"] == 10
    assert [row["trial"] for row in rows(place.study())] == TRIALS
    assert sorted(ended(place), key=int) == TRIALS
    started = Counter(event["trial"] for event in _events(place) if event["type"] == "started")
    assert set(started) == set(TRIALS)
    assert all(started[trial] == 1 for trial in before), "what came to its end is not trained again"
    assert max(started.values()) == 2, "what was cut off is"
    assert {row["epochs"] for row in rows(place.study())} == {"30"}
    assert place.leftovers() == []


@pytest.mark.slow
def test_a_killed_driver_is_resumed_by_the_same_command(place: Place) -> None:
    code, _, _ = cut_off(place, lambda process: process.kill())
    assert code == -signal.SIGKILL
    assert summary(place.study())["status"] == "running"
    wait_until(lambda: all("Agent" in name for name in place.processes()), 20)  # Ray's agents end a minute later
    for folder in place.temporary.glob("rtnn-*"):
        folder.rename(place.work / folder.name)  # nobody was left to remove it
    check_the_same_command_goes_on(place, ended(place))
