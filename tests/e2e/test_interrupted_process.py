"""A driver that is interrupted in the middle of a study; and the same command again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import TIMEOUT, Place, events, new_place, rows, summary, wait_until, write_scripted

STUDY = ("+search=random", "study.name=first", "budget.num_trials=10", "budget.max_epochs=30")
TRIALS = [str(number) for number in range(10)]
SLOW = """

class Slow(Scripted):
    def training_step(self, batch, batch_idx):
        time.sleep(600 if self.current_epoch else 0)
        return super().training_step(batch, batch_idx)
"""

End = Callable[["subprocess.Popen[str]"], None]


def ctrl_c(process: subprocess.Popen[str]) -> None:
    """As a terminal does: to the driver, and to all that it started."""
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: subprocess.Popen[str]) -> None:
    """As Kubernetes does."""
    process.terminate()


def terminate_all(process: subprocess.Popen[str]) -> None:
    """As `timeout` and batch systems do: Ray's own processes must not go before the driver."""
    os.killpg(process.pid, signal.SIGTERM)


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


@pytest.mark.parametrize(
    "end", [terminate_all, *(pytest.param(end, marks=pytest.mark.slow) for end in (terminate, ctrl_c))]
)
def test_an_interrupted_study_is_resumed_by_the_same_command(place: Place, end: End) -> None:
    code, out, err = cut_off(place, end)
    assert code == 75, err
    assert summary(place.study())["status"] == "interrupted"
    assert "the study was interrupted; what it had is kept" in err
    assert "study.storage=studies study.name=first" in err
    assert "Traceback" not in out + err
    table = rows(place.study())
    assert 3 <= len(table) < 10
    before = ended(place)
    assert {row["trial"] for row in table if row["state"] == "complete"} == set(before)
    assert {row["state"] for row in table if row["trial"] not in before} == {"interrupted"}
    assert (place.leftovers(), place.processes()) == ([], [])
    check_the_same_command_goes_on(place, before)


@pytest.mark.slow
def test_a_signal_does_not_wait_for_a_long_epoch(place: Place) -> None:
    with place.start(*write_scripted(place, SLOW), "+search=random", "search_space=scripted") as process:
        wait_until(lambda: _reported(place) == 2 or process.poll() is not None, TIMEOUT)
        began = time.monotonic()
        process.terminate()
        _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 75, err
    assert time.monotonic() - began < 25, "Kubernetes grants 30 seconds"
    assert summary(place.study())["status"] == "interrupted"
    assert (place.leftovers(), place.processes()) == ([], [])


def _reported(place: Place) -> int:
    return sum(event["type"] == "reported" for event in _events(place))


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0])
def test_a_signal_before_the_first_report(place: Place, seconds: float) -> None:
    with place.start(*STUDY) as process:
        time.sleep(seconds)  # somewhere in the start of Ray or, on a fast machine, of the first trials
        process.terminate()
        _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 75, err
    if "interrupted before the study began; nothing was created" in err:
        assert list(place.work.iterdir()) == []
    else:
        assert summary(place.study())["status"] == "interrupted"
    assert (place.leftovers(), place.processes()) == ([], [])
