"""How a study ends: by its trials, its limits, a signal or a fault."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hand_study import Heard, conduct, make_plan, report, start, states, train

from raytune_nn.errors import RaytuneError
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal


class Clock:
    """Seconds since the epoch, as ``time.time`` would give them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("time.time", lambda: self.now)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_study_whose_trials_are_done_is_complete(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=2))
    train(conductor, 0.5)
    train(conductor, error="E")
    conductor.close(interrupted=False)
    assert (conductor.record.status, conductor.record.reason) == ("complete", "")


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_study_without_a_successful_trial_failed(value: float | None, folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=1))
    train(conductor, *([] if value is None else [value]), error="E")
    conductor.close(interrupted=False)
    assert conductor.record.status == "failed"


def test_the_target_ends_the_study_with_a_winner(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(target=0.9), heard)
    first, second, third = start(conductor), start(conductor), start(conductor)
    assert conductor.reported(first, report(1, 0.8))
    assert not conductor.reported(second, report(1, 0.9))
    assert conductor.finished
    assert conductor.next_task() is None
    assert not conductor.reported(first, report(2, 0.95)), "too late"
    conductor.ended(third, "killed")
    conductor.close(interrupted=False)
    assert conductor.record.status == "complete"
    assert conductor.record.reason == "budget.target=0.9 is reached: 0.9"
    assert conductor.record.best is conductor.record.trials[second]
    assert states(conductor) == ["stopped"] * 3, "a trial that the end of the study cut off did not fail"
    assert conductor.record.final_score(conductor.record.trials[third]) is None
    assert [event["trial"] for event in heard if event["type"] == "ended"] == [second, first, third]


def test_max_hours_end_the_study_with_what_it_has(folder: StudyFolder, clock: Clock) -> None:
    conductor = conduct(folder, make_plan(max_hours=1.0))
    trial, late = start(conductor), start(conductor)
    conductor.reported(trial, report(1, 0.5))
    clock.now += 3599
    conductor.tick()
    assert not conductor.finished
    clock.now += 1
    conductor.tick()
    assert conductor.finished
    assert not conductor.reported(late, report(1, 0.6))
    conductor.close(interrupted=False)
    assert (conductor.record.status, conductor.record.reason) == ("complete", "budget.max_hours=1 is spent")
    assert conductor.record.best is conductor.record.trials[trial]
    assert states(conductor) == ["stopped", "stopped"]


def test_max_hours_are_kept_where_nobody_ticks(folder: StudyFolder, clock: Clock) -> None:
    """As in a single training, whose driver is busy with it."""
    conductor = conduct(folder, make_plan(max_hours=1.0))
    trial = start(conductor)
    assert conductor.reported(trial, report(1, 0.5))
    clock.now += 3600
    assert not conductor.reported(trial, report(2, 0.6))
    conductor.ended(trial)
    conductor.close(interrupted=False)
    assert conductor.record.trials[trial].value == 0.6
    assert conductor.record.reason == "budget.max_hours=1 is spent"


def test_hours_of_earlier_drivers_count_once_and_those_between_do_not(folder: StudyFolder, clock: Clock) -> None:
    first = conduct(folder, make_plan(max_hours=1.0))
    start(first)
    clock.now += 1800
    first.close(interrupted=True)
    clock.now += 1e6
    second = conduct(folder, make_plan(max_hours=1.0))
    clock.now += 1000  # a slow start
    assert start(second) == "0"
    second.tick()
    assert not second.finished
    clock.now += 800
    second.tick()
    assert second.finished


def test_max_gpu_hours_are_the_trials_hours_times_their_gpus(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(max_gpu_hours=3.0))  # two GPUs a trial
    train(conductor, 0.5)
    trial = start(conductor)
    assert conductor.reported(trial, report(1, 0.5, seconds=1.4 * 3600))
    assert not conductor.reported(trial, report(2, 0.6, seconds=1.5 * 3600))
    conductor.close(interrupted=False)
    assert (conductor.record.status, conductor.record.reason) == ("complete", "budget.max_gpu_hours=3 is spent")
    assert states(conductor) == ["complete", "stopped"]


def test_hours_spent_before_any_report_fail_the_study(folder: StudyFolder, clock: Clock) -> None:
    conductor = conduct(folder, make_plan(max_hours=1.0))
    start(conductor)
    clock.now += 3600
    conductor.tick()
    conductor.close(interrupted=False)
    assert (conductor.record.status, conductor.record.best) == ("failed", None)


def test_an_interrupted_study_leaves_its_trials_for_the_next_driver(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=4))
    train(conductor, 0.5)
    running = start(conductor)
    conductor.reported(running, report(1, 0.9))
    waiting = conductor.next_task()
    assert waiting is not None
    conductor.interrupt()
    assert conductor.next_task() is None
    assert not conductor.reported(running, report(2, 0.95))
    conductor.ended(running, "killed with the rest")
    conductor.close(interrupted=True)
    assert (conductor.record.status, conductor.record.reason) == ("interrupted", "interrupted")
    assert states(conductor) == ["complete", "running", "waiting"]

    again = conduct(folder, make_plan(num_trials=4))
    assert [start(again) for _ in range(3)] == [running, waiting.id, "3"]
    assert again.next_task() is None


def test_an_interruption_before_the_first_trial_loses_nothing(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=1))
    conductor.interrupt()
    conductor.close(interrupted=True)
    assert (conductor.record.status, conductor.record.trials) == ("interrupted", {})
    again = conduct(folder, make_plan(num_trials=1))
    assert train(again, 0.5) == "0"
    assert again.finished


def test_a_trial_that_ended_for_no_reason_we_know_failed(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=3))
    conductor.reported(start(conductor), report(1, 0.5))
    start(conductor)
    conductor.close(interrupted=False)
    assert states(conductor) == ["stopped", "failed"]
    assert conductor.record.trials["1"].reason == "never came to its end"


def test_a_fault_of_ours_is_no_invalid_study(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    conductor.fault = RaytuneError("something broke")
    conductor.close(interrupted=True)
    assert conductor.record.status == "failed"


def test_a_study_that_had_reached_its_target_does_not_go_on(folder: StudyFolder) -> None:
    """Its driver was killed, or told to end, before it had closed the study."""
    conductor = conduct(folder, make_plan(target=0.9))
    other = start(conductor)
    train(conductor, 0.95)
    conductor.interrupt()
    conductor.close(interrupted=True)
    assert conductor.record.status == "interrupted"

    again = conduct(folder, make_plan(target=0.9))
    assert again.finished
    assert again.next_task() is None
    again.close(interrupted=False)
    assert again.record.status == "complete"
    assert again.record.reason == "budget.target=0.9 is reached: 0.95"
    assert again.record.trials[other].state == "stopped"


def test_lowering_num_trials_finishes_what_was_begun_and_no_more(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=9))
    train(conductor, 0.5)
    for _ in range(3):
        start(conductor)
    conductor.close(interrupted=True)
    again = conduct(folder, make_plan(num_trials=2))
    assert [train(again, 0.5) for _ in range(3)] == ["1", "2", "3"]
    assert again.finished


def test_raising_num_trials_goes_on_with_the_next_number(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=2))
    for _ in range(2):
        train(conductor, 0.5)
    conductor.close(interrupted=False)
    plan = make_plan(num_trials=3)
    again = conduct(folder, plan)
    assert not again.finished
    assert train(again, 0.5) == "2"
    assert again.record.trials["2"].params == plan.searcher.suggest(2)
    assert again.finished


def test_a_full_disk_ends_the_study_and_the_journal_stays_whole(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    trial = start(conductor)
    conductor._journal.close()
    with pytest.raises(RaytuneError, match="must stay readable and writable"):
        conductor.reported(trial, report(1, 0.5))
    assert conductor.record.trials[trial].epochs == 0, "what is not in the journal did not happen"
    assert [event["type"] for event in read_journal(folder.journal)] == ["opened", "suggested", "started"]
