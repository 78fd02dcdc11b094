"""Which models stay where more than one is to, and which training states."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_checkpoints import Disk

from raytune_nn.config.schema import CheckpointsConfig, KeepStates
from raytune_nn.errors import ConfigError
from raytune_nn.store.checkpoints import Retention, States, check_checkpoints, rung_path, state_path
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.seal import write_sealed


class Saving(Disk):
    """Its trials save states too."""

    def __init__(self, folder: Path, keep_best: int = 1) -> None:
        super().__init__(folder)
        self.record = StudyRecord(self.record.objective, keep_best)
        self.apply("opened")

    def write(self, trial: str, *numbers: int) -> None:
        for number in numbers:
            state_path(self.folder, trial, number).parent.mkdir(parents=True, exist_ok=True)
            state_path(self.folder, trial, number).write_text(f"{trial} {number}")

    def save(self, trial: str, number: int, rung: int | None = None) -> None:
        """A state, and its report in the journal."""
        self.write(trial, number)
        what = {"saved": True} | ({} if rung is None else {"rung": rung})
        self.apply("reported", trial=trial, epoch=number, seconds=1.0, metrics={"val_acc": 0.5}, **what)

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


def test_a_state_goes_once_the_journal_has_two_later_ones_but_none_that_it_does_not_know_yet(
    disk: Saving,
) -> None:
    disk.train("0", 0.5)
    retention = Retention(disk.folder, disk.record)
    disk.write("0", 2, 3)  # the trial does not wait, and is ahead of the driver
    for number, left in ((1, [1, 2, 3]), (2, [1, 2, 3]), (3, [2, 3]), (4, [3, 4])):
        disk.save("0", number)
        retention.state_saved(disk.record.trials["0"])
        assert disk.files("0") == ["model.ckpt", *(f"resume-{number}.ckpt" for number in left)]


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("keep_states", [KeepStates.none, KeepStates.last])
@pytest.mark.parametrize("opened_again", [False, True])
def test_the_state_of_an_ended_trial(disk: Saving, copies: bool, keep_states: KeepStates, opened_again: bool) -> None:
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
    state, stays = ["resume-1.ckpt"], keep_states is KeepStates.last
    assert disk.files("0") == (state if copies or stays else [])
    retention.study_ended()
    assert disk.files("0") == (state if stays else [])
    assert disk.files("best") == ["model.ckpt", *(state if stays else [])]
    assert ("0" in disk.names) == stays, "no empty folder is left"


@pytest.mark.parametrize("opened_again", [False, True])
def test_a_state_that_was_given_up_goes_and_its_number_is_used_again(disk: Saving, opened_again: bool) -> None:
    """Trial 1 goes on from states of its own alone, trial 0 from that of the other one."""
    for trial in ("0", "1"):
        disk.train(trial, 0.5, checkpoint=False)
    retention = Retention(disk.folder, disk.record, copies=True)
    for number in (1, 2, 3):
        for trial in ("0", "1"):
            disk.save(trial, number)
            retention.state_saved(disk.record.trials[trial])
    States(disk.folder).hand_over(disk.record.trials["1"], disk.record.trials["0"])
    disk.apply("resumed", trial="0", source="1", params=None)
    retention.state_saved(disk.record.trials["0"])
    assert disk.files("0") == ["resume-3.ckpt", "resume-4.ckpt"]

    def give_up(trial: str, epoch: int) -> list[str]:
        disk.apply("fell_back", trial=trial, file="", why="", epoch=epoch, params=None)
        if opened_again:
            Retention(disk.folder, disk.record, copies=True)
        else:
            retention.state_given_up(disk.record.trials[trial])
        return disk.files(trial)

    assert give_up("0", 3) == ["resume-3.ckpt"]
    assert give_up("1", 2) == ["resume-2.ckpt"]
    disk.save("1", 3)
    assert disk.files("1") == ["resume-2.ckpt", "resume-3.ckpt"]
    assert (give_up("1", 2), give_up("1", 0)) == (["resume-2.ckpt"], [])
    assert not States(disk.folder).has(disk.record.trials["1"])
    disk.save("1", 1)
    assert disk.record.trials["1"].saves == 1


def climb(disk: Saving, retention: Retention, *numbers_and_rungs: tuple[int, int | None]) -> None:
    for number, rung in numbers_and_rungs:
        disk.save("0", number, rung)
        retention.state_saved(disk.record.trials["0"])


def test_the_states_of_rungs_stay_and_safety_copies_replace_each_other(disk: Saving) -> None:
    disk.train("0", 0.5, checkpoint=False)
    retention = Retention(disk.folder, disk.record, keep_states=KeepStates.rungs)
    climb(disk, retention, (1, None), (2, 3), (3, None), (4, None))
    assert disk.files("0") == ["resume-3.ckpt", "resume-4.ckpt", "rung-3.ckpt"]
    climb(disk, retention, (5, 9))
    disk.end("0")
    retention.trial_ended(disk.record.trials["0"], disk.record)
    retention.study_ended()
    assert disk.files("0") == ["rung-3.ckpt", "rung-9.ckpt"]
    texts = {rung: rung_path(disk.folder, "0", rung).read_text() for rung in (3, 9)}
    assert texts == {3: "0 2", 9: "0 5"}
    for keep_states in (KeepStates.rungs, KeepStates.none):
        Retention(disk.folder, disk.record, keep_states=keep_states).study_ended()
        assert disk.files("0") == ["rung-3.ckpt", "rung-9.ckpt"], "for good"


@pytest.mark.parametrize("links", [True, False])
def test_a_rung_is_kept_also_where_the_driver_was_killed_before_it_could(
    disk: Saving, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it did anything; and once it had, since it cannot know. On shares without links it is a copy."""

    def refuse(source: Path, target: Path) -> None:
        raise OSError

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    disk.train("0", 0.5, checkpoint=False)
    disk.save("0", 1, rung=3)
    for _ in range(2):
        retention = Retention(disk.folder, disk.record, keep_states=KeepStates.rungs)
        assert disk.files("0") == ["resume-1.ckpt", "rung-3.ckpt"], "and no draft"
        assert rung_path(disk.folder, "0", 3).read_text() == "0 1"
        (disk.folder / "0" / ".rung-9.ckpt").touch()  # half a copy
    disk.apply("started", trial="0", epoch=1)
    climb(disk, retention, (2, 3))
    assert rung_path(disk.folder, "0", 3).read_text() == "0 2", "of weights that came from another trial"
    assert state_path(disk.folder, "0", 2).read_text() == "0 2"
    Retention(disk.folder, disk.record)
    assert disk.files("0") == ["resume-1.ckpt", "resume-2.ckpt", "rung-3.ckpt"]


def test_a_state_that_was_taken_over_is_no_rung_of_the_one_that_took_it(disk: Saving) -> None:
    for trial in ("0", "1"):
        disk.train(trial, 0.5, checkpoint=False)
        disk.save(trial, 1, rung=3)
    retention = Retention(disk.folder, disk.record, copies=True, keep_states=KeepStates.rungs)
    States(disk.folder).hand_over(disk.record.trials["0"], disk.record.trials["1"])
    disk.apply("resumed", trial="1", source="0", params=None)
    Retention(disk.folder, disk.record, copies=True, keep_states=KeepStates.rungs)
    assert rung_path(disk.folder, "1", 3).read_text() == "1 1"
    assert state_path(disk.folder, "1", 2).read_text() == "0 1"
    retention.study_ended()
    assert [disk.files(trial) for trial in ("0", "1")] == [["rung-3.ckpt"]] * 2


def test_a_model_is_looked_at(disk: Saving) -> None:
    disk.train("0", 0.5)
    states, trial = States(disk.folder), disk.record.trials["0"]
    path = disk.folder / "0" / "model.ckpt"
    with path.open("w+b") as file:
        write_sealed(lambda file: file.write(b"weights\0\0"), file)
    assert states.damaged_model(trial) == states.damaged_model(None) == {}
    path.write_bytes(b"\1" + path.read_bytes()[1:])
    found = states.damaged_model(trial)
    assert (found["trial"], found["file"]) == ("0", "checkpoints/0/model.ckpt")
    assert found["why"].startswith("its checksum was ")
    path.unlink()
    assert states.damaged_model(trial)["why"] == "it is not there"
    path.parent.rmdir()
    assert states.damaged_model(trial) == {}, "somebody made room"
    path.parent.mkdir()
    disk.apply("damaged", trial="0", file="f", why="it is not there")
    assert states.damaged_model(trial) == {}, "it was said"


def test_a_model_that_is_not_among_the_best_goes_and_its_rungs_stay(disk: Saving) -> None:
    disk.train("0", 0.5)
    disk.train("best", 0.9)
    retention = Retention(disk.folder, disk.record, keep_states=KeepStates.rungs)
    climb(disk, retention, (1, 3))
    for trial in ("best", "0"):
        disk.end(trial)
        retention.trial_ended(disk.record.trials[trial], disk.record)
    assert disk.files("0") == ["rung-3.ckpt"]


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
        (CheckpointsConfig(0, 1, KeepStates.none), r"every_minutes must be positive"),
        (CheckpointsConfig(-1, 1, KeepStates.none), r"every_minutes must be positive"),
        (CheckpointsConfig(float("nan"), 1, KeepStates.none), r"every_minutes must be positive"),
        (CheckpointsConfig(float("inf"), 1, KeepStates.none), r"every_minutes must be positive"),
        (CheckpointsConfig(None, 0, KeepStates.none), r"keep_best must be at least 1"),
        (CheckpointsConfig(None, 1, KeepStates.rungs), r"wants a scheduler that pauses"),
    ],
)
def test_what_cannot_be_meant_is_refused(config: CheckpointsConfig, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        check_checkpoints(config, pauses=False)
    check_checkpoints(CheckpointsConfig(None, 1, KeepStates.last), pauses=False)
    check_checkpoints(CheckpointsConfig(0.5, 20, KeepStates.rungs), pauses=True)
