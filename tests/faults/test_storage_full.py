"""A disk that runs full under a study, for a while and for good."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import filled, small_disk
from processes import events, new_place, summary
from storage_studies import Studies, count

from raytune_nn.store.journal import read_journal, torn_lines


@pytest.fixture
def studies(tmp_path: Path) -> Iterator[Studies]:
    with small_disk(24) as disk, new_place(tmp_path) as place:
        yield Studies(place, disk)


@pytest.mark.slow
def test_a_study_waits_for_a_full_disk_and_loses_nothing(studies: Studies) -> None:
    with studies.start("checkpoints.min_free=0") as command:
        command.until_ended(1)
        with filled(studies.storage):
            command.until_said("waiting for the storage: ")  # the driver, unless its journal's last block has room
            assert "No space left on device" in command.out
            acknowledged = list(read_journal(studies.study / "journal"))
            time.sleep(2.0)
            assert command.process.poll() is None
        code, err = command.finish()
    assert code == 0, err
    studies.check_whole()
    after = list(read_journal(studies.study / "journal"))
    assert after[: len(acknowledged)] == acknowledged
    assert torn_lines(studies.study / "journal") == 0
    assert {event["type"] for event in after} & {"waited", "waits"}
    assert count(studies.study, "started") == count(studies.study, "ended"), "no trial failed and began anew"


@pytest.mark.slow
def test_a_signal_ends_the_wait_and_the_same_command_goes_on_once_there_is_room(studies: Studies) -> None:
    typed = ("checkpoints.min_free=0", "failures.storage_timeout=3")
    with studies.start("checkpoints.min_free=0", "cluster.grace_seconds=2") as command:
        command.until_ended(1)
        with filled(studies.storage):
            command.until_said("waiting for the storage: ")  # the driver or a trial
            began = time.monotonic()
            command.process.terminate()
            code, err = command.finish()
            assert (code, time.monotonic() - began < 20) == (75, True), err
            assert "the study was interrupted" in err
            again, _, refused = studies.run(*typed)
            assert again == 4, refused
            assert "No space left on device" in refused
            assert "Traceback" not in err + refused
    before = _ended(studies)
    with studies.start(*typed) as command:
        command.until_ended(len(before) + 2)
        with filled(studies.storage):
            code, err = command.finish()
            assert code == 4, err
            assert "No space left on device, for 3 s (failures.storage_timeout)" in err
            assert "free the disk or mend the storage, then run the same command" in err
            assert "Traceback" not in err
    assert studies.place.leftovers() == []
    code, _, err = studies.run(*typed)
    assert code == 0, err
    studies.check_whole()
    assert _ended(studies)[: len(before)] == before
    assert summary(studies.study)["reason"] == ""


def _ended(studies: Studies) -> list[dict[str, str]]:
    return [event for event in events(studies.study) if event["type"] == "ended"]
