"""Which models stay where more than one is to, and which training states."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_checkpoints import Disk

from raytune_nn.config.schema import CheckpointsConfig
from raytune_nn.errors import ConfigError
from raytune_nn.store.checkpoints import Retention, States, check_checkpoints, state_path
from raytune_nn.store.record import StudyRecord


class Saving(Disk):
    """Its trials save states too."""

    def __init__(self, folder: Path, keep_best: int = 1) -> None:
        super().__init__(folder)
        self.record = StudyRecord(self.record.objective, keep_best)
        self.apply("opened")

    def write(self, trial: str, *numbers: int) -> None:
        for number in numbers:
            state_path(self.folder, trial, number).parent.mkdir(parents=True, exist_ok=True)
            state_path(self.folder, trial, number).touch()

    def save(self, trial: str, number: int) -> None:
        """A state, and its report in the journal."""
        self.write(trial, number)
        self.apply("reported", trial=trial, epoch=number, seconds=1.0, metrics={"val_acc": 0.5}, saved=True)

    def files(self, trial: str) -> list[str]:
        return sorted(path.name for path in (self.folder / trial).glob("*"))


@pytest.fixture
def disk(tmp_path: Path) -> Saving:
    return Saving(tmp_path / "checkpoints")


def test_the_best_few_stay(tmp_path: Path) -> None:
    disk = Saving(tmp_path / "checkpoints", keep_best=3)
    retention = Retention(disk.folder, disk.record)
    seen, bars = [], []
    for trial, value in enumerate([0.5, 0.7, 0.6, 0.6, 0.8, 0.1, 0.9]):
        disk.train(str(trial), value)
        disk.end(str(trial))
        retention.trial_ended(disk.record.trials[str(trial)], disk.record)
        seen.append("".join(disk.names))
        bars.append(disk.record.kept.bar)
    assert seen == ["0", "01", "012", "123", "124", "124", "146"], "of equals the first to end"
    assert bars == [(), (), ((0.5,),), ((0.6,),), ((0.6,),), ((0.6,),), ((0.7,),)]
    assert [trial.id for trial in disk.record.kept.trials] == ["6", "4", "1"]
    assert [trial.id for trial in disk.record.front] == ["6"]
    Retention(disk.folder, disk.record)
    assert disk.names == ["1", "4", "6"], "also where the study is opened again"


def test_a_state_goes_once_the_journal_has_the_next_but_none_that_it_does_not_know_yet(disk: Saving) -> None:
    disk.train("0", 0.5)
    retention = Retention(disk.folder, disk.record)
    disk.write("0", 2, 3)  # the trial does not wait, and is ahead of the driver
    for number, left in ((1, [1, 2, 3]), (2, [2, 3]), (3, [3])):
        disk.save("0", number)
        retention.state_saved(disk.record.trials["0"])
        assert disk.files("0") == ["model.ckpt", *(f"resume-{number}.ckpt" for number in left)]


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("keep_states", [False, True])
@pytest.mark.parametrize("opened_again", [False, True])
def test_the_state_of_an_ended_trial(disk: Saving, copies: bool, keep_states: bool, opened_again: bool) -> None:
    """It stays for others while they may go on from it, and for good if that is asked for."""
    disk.train("best", 0.9)
    disk.train("0", 0.5, checkpoint=False)
    for trial in ("best", "0"):
        disk.save(trial, 1)
    retention = Retention(disk.folder, disk.record, copies, keep_states)
    for trial in ("best", "0"):
        disk.end(trial)
        retention.trial_ended(disk.record.trials[trial], disk.record)
    if opened_again:
        retention = Retention(disk.folder, disk.record, copies, keep_states)
    state = ["resume-1.ckpt"]
    assert disk.files("0") == (state if copies or keep_states else [])
    retention.study_ended()
    assert disk.files("0") == (state if keep_states else [])
    assert disk.files("best") == ["model.ckpt", *(state if keep_states else [])]
    assert ("0" in disk.names) == keep_states, "no empty folder is left"


def test_what_a_killed_process_had_half_written_goes_when_the_study_is_opened(disk: Saving) -> None:
    disk.train("0", 0.5)
    disk.save("0", 1)
    disk.write("0", 2)
    (disk.folder / "0" / ".resume-3.ckpt").touch()
    Retention(disk.folder, disk.record)
    assert disk.files("0") == ["model.ckpt", "resume-1.ckpt"]
    assert States(disk.folder).has(disk.record.trials["0"])


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        (CheckpointsConfig(0, 1, False), r"every_minutes must be positive"),
        (CheckpointsConfig(-1, 1, False), r"every_minutes must be positive"),
        (CheckpointsConfig(float("nan"), 1, False), r"every_minutes must be positive"),
        (CheckpointsConfig(float("inf"), 1, False), r"every_minutes must be positive"),
        (CheckpointsConfig(None, 0, False), r"keep_best must be at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(config: CheckpointsConfig, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        check_checkpoints(config)
    check_checkpoints(CheckpointsConfig(None, 1, True))
    check_checkpoints(CheckpointsConfig(0.5, 20, False))
