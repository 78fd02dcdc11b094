"""What an earlier study has trained is told again, in its order, and not trained again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cached_studies import SCHEDULERS, Cycle, made, run, study
from hand_study import EPOCHS, OBJECTIVE, report

from raytune_nn.store.checkpoints import MODEL
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.results import summary


def events(folder: StudyFolder, kind: str) -> list[Event]:
    return [event for event in read_journal(folder.journal) if event["type"] == kind]


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "second")


@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
def test_an_identical_study_trains_nothing(scheduler: str, slots: int, tmp_path: Path, folder: StudyFolder) -> None:
    first = StudyFolder(tmp_path / "first")
    run(study(first, scheduler=scheduler, num_trials=12), first, slots)
    record = run(study(folder, first, scheduler=scheduler, num_trials=12), folder, slots).record
    assert events(folder, "started") == []
    found, before = summary(record), summary(StudyRecord.fold(OBJECTIVE, read_journal(first.journal)))
    assert found["counts"] == {**before["counts"], "cached": 12, "epochs": 0}
    assert found["best"] == before["best"]
    assert found["seconds"]["busy"] == 0
    assert (folder.checkpoints / found["best"]["trial"] / MODEL).is_file()


def test_an_enlarged_study_trains_the_difference(tmp_path: Path, folder: StudyFolder) -> None:
    first = made(tmp_path, num_trials=4)
    record = run(study(folder, first, num_trials=6), folder).record
    assert {event["trial"] for event in events(folder, "started")} == {"4", "5"}
    assert summary(record)["counts"]["epochs"] == 2 * EPOCHS
    assert summary(record)["counts"]["cached"] == 4


def test_an_enlarged_study_under_asha_trains_less_than_a_new_one(tmp_path: Path, folder: StudyFolder) -> None:
    first = made(tmp_path, scheduler="promoting", num_trials=9)
    new = made(tmp_path, "new", scheduler="promoting", num_trials=18)
    record = run(study(folder, first, scheduler="promoting", num_trials=18), folder).record
    anew = StudyRecord.fold(OBJECTIVE, read_journal(new.journal))
    assert 9 <= record.epochs < anew.epochs
    assert record.best is not None
    assert anew.best is not None
    assert record.best.value == anew.best.value


def test_a_trial_that_was_stopped_there_is_trained_from_its_beginning_where_it_is_to_go_on(
    tmp_path: Path, folder: StudyFolder
) -> None:
    first = made(tmp_path, scheduler="stopping", num_trials=6)
    states = {event["trial"]: event["state"] for event in events(first, "ended")}
    record = run(study(folder, first, num_trials=6), folder).record
    stopped = {trial for trial, state in states.items() if state == "stopped"}
    assert stopped
    assert {event["trial"] for event in events(folder, "started")} == stopped
    assert [trial.epochs for trial in record.trials.values()] == [EPOCHS] * 6
    assert record.epochs == EPOCHS * len(stopped)
    assert {trial.id for trial in record.trials.values() if trial.cached} == set(states) - stopped


def test_twins_of_one_study_are_trained_once(folder: StudyFolder) -> None:
    record = run(study(folder, searcher=Cycle(3), num_trials=9), folder).record
    assert {event["trial"] for event in events(folder, "started")} == {"0", "1", "2"}
    values = [trial.value for trial in record.trials.values()]
    assert values == values[:3] * 3
    assert record.epochs == 3 * EPOCHS


def test_a_twin_of_a_failed_trial_is_trained(folder: StudyFolder) -> None:
    conductor = study(folder, searcher=Cycle(1), num_trials=2)
    first = conductor.next_task()
    assert first is not None
    assert conductor.next_task() is None, "its twin waits"
    conductor.started(first.id)
    conductor.ended(first.id, "Traceback\nE: e")
    run(conductor, folder)
    assert [trial.state for trial in conductor.record.trials.values()] == ["failed", "complete"]


def test_another_code_takes_nothing_over(tmp_path: Path, folder: StudyFolder) -> None:
    first = made(tmp_path, num_trials=2)
    assert run(study(folder, first, num_trials=2, code="other"), folder).record.epochs == 2 * EPOCHS


def test_diverged_trials_diverge_again(tmp_path: Path, folder: StudyFolder) -> None:
    first = StudyFolder(tmp_path / "first")
    conductor = study(first, num_trials=1)
    task = conductor.next_task()
    assert task is not None
    conductor.started(task.id)
    conductor.reported(task.id, report(1, float("nan")))
    conductor.close(interrupted=False)
    record = run(study(folder, first, num_trials=1), folder).record
    assert record.trials["0"].state == "diverged"
    assert record.epochs == 0


@pytest.mark.parametrize("lines", range(2, 40, 3))
@pytest.mark.parametrize("scheduler", ["none", "promoting"])
def test_a_killed_driver_is_followed_by_one_that_goes_on(
    scheduler: str, lines: int, tmp_path: Path, folder: StudyFolder
) -> None:
    first = made(tmp_path, scheduler=scheduler, num_trials=6)
    run(study(folder, first, scheduler=scheduler, num_trials=6), folder)
    segment = folder.journal / "00000.jsonl"
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:lines]))
    record = run(study(folder, first, scheduler=scheduler, num_trials=6), folder).record
    assert record.status == "complete"
    assert [trial.ended for trial in record.trials.values()] == [True] * 6
    if scheduler == "none":
        assert record.epochs == 0
    before = StudyRecord.fold(OBJECTIVE, read_journal(first.journal)).best
    assert record.best is not None
    assert before is not None
    assert record.best.value == before.value


def test_the_winner_is_trained_where_its_model_is_gone(tmp_path: Path, folder: StudyFolder) -> None:
    first = made(tmp_path, num_trials=4)
    shutil.rmtree(first.checkpoints)
    record = run(study(folder, first, num_trials=4), folder).record
    best = record.best
    assert best is not None
    assert {event["trial"] for event in events(folder, "started")} == {best.id}
    assert (best.cached, best.epochs, best.checkpoint) == ("", EPOCHS, best.id)
    assert summary(record)["counts"]["cached"] == 3
    before = StudyRecord.fold(OBJECTIVE, read_journal(first.journal)).best
    assert before is not None
    assert (best.id, best.value) == (before.id, before.value)


def test_sources_that_cannot_be_used_are_left_out_with_a_line(tmp_path: Path, folder: StudyFolder) -> None:
    running, damaged, older = (made(tmp_path, name, num_trials=2) for name in ("running", "damaged", "older"))
    segment = damaged.journal / "00000.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:3], b"x" + lines[3][1:], *lines[4:]]))
    shutil.rmtree(older.journal)
    plain = StudyFolder(tmp_path / "older")
    plain.journal.mkdir()
    (plain.journal / "00000.jsonl").write_bytes(lines[0])
    said: list[str] = []
    statuses = {"running": "running"}
    record = run(study(folder, running, damaged, older, statuses=statuses, said=said, num_trials=2), folder).record
    assert record.epochs == 2 * EPOCHS
    assert len(said) == 3
    assert "still runs" in said[0]
    assert "must be as it was written" in said[1]
    assert "no identities" in said[2]
