"""A disk with little room left: no trial begins, none fails, and all goes on by itself once there is room."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mounts import filled, small_disk
from processes import events, new_place, summary, wait_until
from storage_studies import Studies, count

LITTLE = 10_000_000  # bytes


@pytest.fixture
def studies(tmp_path: Path) -> Iterator[Studies]:
    with small_disk(64) as disk, new_place(tmp_path) as place:
        yield Studies(place, disk, trials=14)


@pytest.mark.slow
def test_new_trials_wait_for_room_and_running_ones_do_not(studies: Studies) -> None:
    typed = ("checkpoints.min_free=20", "failures.storage_timeout=20")
    with studies.start(*typed) as command:
        command.until_ended(1)
        with filled(studies.storage, leave=LITTLE):
            command.until_said("no other trial begins for now: ")
            assert "10 MB are free" in command.out
            wait_until(lambda: at_work(studies) == 0)
            before = count(studies.study, "reported")
            assert summary(studies.study)["status"] == "running"
            assert "MB are free" in summary(studies.study)["reason"]
            room_again = time.time()
        command.until_said("there is room again, and trials begin")
        wait_until(lambda: count(studies.study, "reported") > before)
        with filled(studies.storage, leave=LITTLE):
            code, err = command.finish()
            assert code == 4, err
            assert "checkpoints.min_free=20" in err
            assert "for 20 s (failures.storage_timeout)" in err
            assert "Traceback" not in err
            assert studies.run(*typed)[0] == 2, "before anything starts"
    assert summary(studies.study)["status"] == "interrupted"
    assert summary(studies.study)["counts"]["failed"] == 0
    check_none_began_without_room(events(studies.study), room_again)
    code, _, err = studies.run(*typed)
    assert code == 0, err
    studies.check_whole()


def at_work(studies: Studies) -> int:
    """Trials that report and have not come to their end; those that wait in their slots for room have not reported."""
    told = events(studies.study)
    reported = {event["trial"] for event in told if event["type"] == "reported"}
    return len(reported - {event["trial"] for event in told if event["type"] == "ended"})


def check_none_began_without_room(told: list[dict[str, Any]], room_again: float) -> None:
    """Slots see that there is room again before the driver does, and what waits in them begins."""
    held, spans = False, 0
    began: set[str] = set()
    at_work: set[str] = set()
    for event in told:
        if event["type"] in ("held", "freed"):
            held, spans = event["type"] == "held", spans + 1
            at_work = set(began)
        elif event["type"] == "started" and not held:
            began.add(event["trial"])
        elif event["type"] == "suggested":
            assert not held
        elif event["type"] == "reported" and held and (spans > 1 or event["time"] < room_again):
            assert event["trial"] in at_work
    assert spans == 3, "held, freed, and held to the end"
