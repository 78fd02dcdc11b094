"""A study with paused trials whose driver is killed; and the same command again."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import TIMEOUT, Place, events, new_place, rows, summary, wait_until

STUDY = ("+search=asha", "study.name=first", "budget.num_trials=12", "budget.max_epochs=27", "seed=1")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


@pytest.mark.slow
def test_a_killed_driver_keeps_its_paused_trials(place: Place) -> None:
    with place.start(*STUDY) as process:
        wait_until(lambda: len(events(place.study(), "resumed")) >= 2 or process.poll() is not None, TIMEOUT)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGKILL
    place.until_empty()
    paused = {event["trial"] for event in events(place.study(), "decided")}
    ran = place.run(*STUDY)
    assert ran.code == 0, ran.err
    assert summary(place.study())["status"] == "complete"
    assert len(rows(place.study())) == 12
    reported: dict[str, list[int]] = defaultdict(list)
    values: dict[tuple[str, int], set[float]] = defaultdict(set)
    for event in events(place.study(), "reported"):
        reported[event["trial"]].append(event["epoch"])
        values[event["trial"], event["epoch"]].add(event["metrics"]["val_acc"])
    assert all(reported[id].count(1) == 1 for id in paused), "none begins anew"
    assert all(len(each) == 1 for each in values.values()), "what was trained twice gave the same"
    for id in (id for id, epochs in reported.items() if max(epochs) == 27):
        again = place.run("mode=reproduce", "study.name=first", f"study.trial={id}")
        assert again.code == 0, again.err
        assert f"reproduced: trial {id}, 27 reports" in again.out
