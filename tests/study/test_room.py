"""A disk that gets full: no trial begins any more, those that run go on, and all of it is in the record."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hand_study import Heard, conduct, make_plan, report, start, states

from raytune_nn.errors import UnusableError
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.free_space import MB
from raytune_nn.store.journal import read_journal
from raytune_nn.store.retry import Retry
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.results import summary
from raytune_nn.study.room import LOOK_SECONDS, Room
from raytune_nn.study.tuner import _Feed, _Verdicts
from raytune_nn.study.watch import Watch

FLOOR, TIMEOUT = 100, 300.0


class Disk:
    """A study with a clock and a disk that the test sets."""

    def __init__(self, folder: StudyFolder, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.free, self.looks, self.now = folder, 1000.0, 0, 100.0
        self.heard, self.flag = Heard(), 0
        patch.setattr("raytune_nn.study.room.os.statvfs", self._usage)
        patch.setattr("raytune_nn.study.room.time.monotonic", lambda: self.now)
        self.conductor = conduct(folder, make_plan(), self.heard)
        self.conductor.room = Room(folder, FLOOR, TIMEOUT, Retry())

    def _usage(self, path: Path) -> SimpleNamespace:
        assert path == self.folder.path
        self.looks += 1
        return SimpleNamespace(f_bavail=int(self.free * MB) // 10, f_frsize=10, f_flag=self.flag)

    def later(self, seconds: float = LOOK_SECONDS) -> Conductor:
        """The conductor, which has looked at the clock after so many seconds."""
        self.now += seconds
        self.conductor.tick()
        return self.conductor


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(StudyFolder(tmp_path / "study"), monkeypatch)


def test_while_there_is_no_room_nothing_begins_and_what_runs_goes_on(disk: Disk) -> None:
    trial = start(disk.conductor)
    disk.free = FLOOR - 0.1
    conductor = disk.later()
    assert conductor.next_task() is None
    assert not conductor.finished
    assert conductor.reported(trial, report(1, 0.5))
    conductor.ended(trial)
    assert states(conductor) == ["complete"]
    assert disk.heard.types.count("held") == 1
    assert summary(conductor.record)["status"] == "running"
    assert summary(conductor.record)["reason"].startswith("100 MB are free, and 100 MB must be")
    disk.free = FLOOR
    disk.later(1.0)  # sooner than else
    assert start(conductor) == "1"
    assert disk.heard.types.count("freed") == 1
    assert summary(conductor.record)["reason"] == ""
    written = [event["type"] for event in read_journal(disk.folder.journal)]
    assert [type for type in written if type in ("held", "freed")] == ["held", "freed"]


def test_the_disk_is_looked_at_every_few_seconds_however_much_happens(disk: Disk) -> None:
    trial = start(disk.conductor)
    for epoch in range(1, 200):
        disk.conductor.reported(trial, report(epoch, 0.5))
        disk.later(0.05)
    assert disk.looks == pytest.approx(199 * 0.05 / LOOK_SECONDS, abs=1.1)


def test_what_trials_at_work_may_still_write_must_have_room(disk: Disk) -> None:
    """A model of 30 MB, a state of 70: two at work write 70 each at most beside what they have, a new one all."""
    trials = [start(disk.conductor) for _ in range(2)]
    for path, size in (("0/model.ckpt", 30), (state_path(Path(), "0", 1), 70)):
        written = disk.folder.checkpoints / path
        written.parent.mkdir(parents=True, exist_ok=True)
        with written.open("wb") as file:
            file.truncate(size * MB)
    disk.conductor.reported(trials[0], report(1, 0.5, checkpoint="0", saved=True))
    disk.free = FLOOR + 2 * 70 + 100 - 0.1
    assert disk.later().next_task() is None
    disk.conductor.ended(trials[1])  # failed, before any report
    disk.later(1.0)
    assert start(disk.conductor) == "2", "one at work less"


def test_without_room_and_without_a_trial_at_work_it_ends_after_a_while_and_can_be_resumed(disk: Disk) -> None:
    trial = start(disk.conductor)
    disk.conductor.reported(trial, report(1, 0.5))
    disk.free = 1.0
    for _ in range(100):
        disk.later()
    assert not disk.conductor.finished, "as long as a trial runs, there is no hurry"
    disk.conductor.ended(trial)
    disk.later()
    disk.later(TIMEOUT - 1)
    assert not disk.conductor.finished
    conductor = disk.later(2)
    assert conductor.finished
    assert conductor.fault is not None
    assert conductor.fault.exit_code == 4
    assert "1 MB are free" in str(conductor.fault)
    assert f"for {TIMEOUT:g} s (failures.storage_timeout)" in str(conductor.fault)
    conductor.close(interrupted=False)
    assert conductor.record.status == "interrupted"


def test_trials_that_wait_for_a_slot_are_not_at_work(disk: Disk) -> None:
    """As those that lost theirs: none of them may begin, so nobody can be waited for."""
    for trial in [start(disk.conductor), start(disk.conductor)]:
        disk.conductor.ended(trial, "lost", lost=True, counts=False)
    assert states(disk.conductor) == ["waiting", "waiting"]
    disk.free = 1.0
    disk.later()
    assert disk.later(TIMEOUT).fault is not None


def test_a_slot_that_waited_in_vain_for_room_does_not_end_the_trials_that_run(disk: Disk) -> None:
    """Its trial was handed out before the disk got full."""
    tasks = [disk.conductor.next_task() for _ in range(2)]
    for task in tasks:
        assert task is not None
        disk.conductor.started(task.id)
    disk.free = FLOOR - 0.1
    conductor = disk.later()
    verdicts = _Verdicts(conductor, _Feed(conductor), Watch(None), shares_gpu=False)
    lost = {"reports": [], "ended": True, "error": "UnusableError: no room", "storage_lost": ("no room", None, "")}
    for task in tasks:
        verdicts.on_trial_result(None, SimpleNamespace(trial_id="a", config={"task": task}), lost)  # type: ignore[arg-type]
        disk.later(1.0)
        if task is tasks[0]:
            assert (states(conductor), conductor.finished) == (["waiting", "running"], False)
            assert conductor.record.trials["0"].retries == 0
    assert conductor.fault is not None, "the last one has nobody to wait for"
    assert states(conductor) == ["waiting", "running"]


def test_a_disk_that_has_become_read_only_is_noticed_while_nothing_is_written(disk: Disk) -> None:
    disk.flag = os.ST_RDONLY
    with pytest.raises(UnusableError, match="Read-only file system"):
        disk.later()


def test_a_wait_of_the_driver_is_written_once_it_is_over(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk.conductor.room.retry, "take_waits", lambda: [(12.34567, "file: full")])
    disk.conductor.tick()
    [event] = [event for event in disk.heard if event["type"] == "waited"]
    assert (event["seconds"], event["reason"]) == (12.346, "file: full")
