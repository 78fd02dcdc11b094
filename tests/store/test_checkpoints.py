"""Which checkpoints stay on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.store.checkpoints import Retention
from raytune_nn.store.record import StudyRecord


class Disk:
    """A study whose trials write a checkpoint each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = StudyRecord(Objective("val_acc", True, Take.best))
        self.apply("opened")

    def apply(self, type: str, **fields: Any) -> None:
        self.record.apply({"type": type, "time": 1.0, **fields})

    def train(self, trial: str, value: float, checkpoint: bool = True) -> None:
        self.apply("suggested", trial=trial, params={})
        self.apply("started", trial=trial)
        if checkpoint:
            (self.folder / trial).mkdir(parents=True)
            (self.folder / trial / "model.ckpt").write_text(trial)
            self.apply("checkpointed", trial=trial, folder=trial)
        self.apply("reported", trial=trial, epoch=1, seconds=1.0, metrics={"val_acc": value})

    def end(self, trial: str, state: str = "complete") -> None:
        self.apply("ended", trial=trial, state=state)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "checkpoints")


def test_only_the_best_and_the_running_stay(disk: Disk) -> None:
    retention = Retention(disk.folder, disk.record)

    def end(trial: str, state: str = "complete") -> list[str]:
        disk.end(trial, state)
        retention.trial_ended(disk.record.trials[trial], disk.record)
        return disk.names

    for trial, value in [("0", 0.5), ("1", 0.4), ("2", 0.7), ("3", 0.9), ("4", 0.95), ("5", 0.99)]:
        disk.train(trial, value, checkpoint=trial != "1")
    assert end("0") == ["0", "2", "3", "4", "5"], "the first is the best"
    assert end("1") == ["0", "2", "3", "4", "5"], "had none"
    assert end("2", "stopped") == ["2", "3", "4", "5"], "a better one takes its place"
    assert end("3", "failed") == ["2", "4", "5"]
    assert end("4", "diverged") == ["2", "5"]
    assert disk.record.trials["3"].checkpoint is None
    assert disk.record.trials["2"].checkpoint == "2"


def test_what_a_killed_driver_left_goes_when_the_study_is_opened(disk: Disk) -> None:
    for trial, value in [("best", 0.9), ("lost", 0.2), ("running", 0.3)]:
        disk.train(trial, value)
    disk.train("unreported", 0.1, checkpoint=False)
    (disk.folder / "unreported").mkdir()  # written, but its driver died before the journal said so
    disk.end("best")
    disk.end("lost")
    Retention(disk.folder, disk.record)
    assert disk.names == ["best", "running"]


def test_a_study_without_a_checkpoint_has_none_to_remove(disk: Disk) -> None:
    retention = Retention(disk.folder, disk.record)
    disk.train("0", 0.5, checkpoint=False)
    disk.end("0")
    retention.trial_ended(disk.record.trials["0"], disk.record)
    assert disk.names == []


def test_a_checkpoint_that_somebody_removed_does_not_matter(disk: Disk) -> None:
    retention = Retention(disk.folder, disk.record)
    for trial, value in [("0", 0.5), ("1", 0.6)]:
        disk.train(trial, value)
    for path in (disk.folder / "0").iterdir():
        path.unlink()
    (disk.folder / "0").rmdir()
    for trial in ("0", "1"):
        disk.end(trial)
        retention.trial_ended(disk.record.trials[trial], disk.record)
    assert disk.names == ["1"]
