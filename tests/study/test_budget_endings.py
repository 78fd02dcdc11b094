"""Each limit ends a study with a winner, at the report that reaches it, and what was used is what the trials say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hand_study import EPOCHS, TWO, conduct, make_plan, report, start, train

from raytune_nn.search.asha import ASHA
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.results import summary


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


def closed(conductor: Conductor) -> dict[str, Any]:
    conductor.close(interrupted=False)
    return summary(conductor.record)


def test_no_report_counts_beyond_the_epochs_of_the_study(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(max_total_epochs=5))
    trials = [start(conductor) for _ in range(3)]
    answers = [conductor.reported(trial, report(epoch, 0.1 * epoch)) for epoch in (1, 2, 3) for trial in trials]
    assert answers == [True] * 4 + [False] * 5
    found = closed(conductor)
    assert (found["status"], found["reason"]) == ("complete", "budget.max_total_epochs=5 is spent")
    assert found["counts"]["epochs"] == 5
    assert found["best"]["trial"] == trials[0]


def test_epochs_are_spent_at_a_pause_too(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(ASHA(EPOCHS), max_total_epochs=2))
    trials = [start(conductor) for _ in range(3)]
    assert [conductor.reported(trial, report(1, 0.5, saved=True)) for trial in trials] == [False] * 3
    found = closed(conductor)
    assert (found["counts"]["epochs"], found["status"]) == (2, "complete")
    assert conductor.record.trials[trials[2]].value is None


def test_epochs_that_are_trained_again_count(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(max_total_epochs=3, max_retries=1))
    trial = start(conductor)
    conductor.reported(trial, report(1, 0.5))
    conductor.reported(trial, report(2, 0.5))
    conductor.ended(trial, "killed", lost=True)
    assert start(conductor) == trial
    assert not conductor.reported(trial, report(1, 0.5))
    assert closed(conductor)["counts"]["epochs"] == 3


def test_a_study_that_finds_nothing_better_ends(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(stagnation=2, num_trials=9))
    for value in (0.5, 0.4, 0.6, 0.6):
        train(conductor, value)
    assert not conductor.finished
    train(conductor, error="E")
    assert not conductor.finished, "a failure says nothing of the search"
    train(conductor, 0.1)
    assert conductor.finished
    found = closed(conductor)
    assert (found["reason"], found["best"]["trial"]) == ("budget.stagnation=2 is spent", "2")


def test_trials_that_pause_count_once(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(ASHA(EPOCHS), stagnation=2, num_trials=9))
    for value in (0.5, 0.4):
        conductor.reported(start(conductor), report(1, value, saved=True))
    assert not conductor.finished
    conductor.reported(start(conductor), report(1, 0.3, saved=True))
    assert conductor.finished
    assert closed(conductor)["best"]["trial"] == "0", "paused, and the best when the study ended"


def test_the_front_must_stagnate_where_there_are_several_objectives(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=TWO, stagnation=1, num_trials=9))
    for value, loss in ((0.5, 0.5), (0.4, 0.4), (0.4, 0.5)):
        trial = start(conductor)
        conductor.reported(trial, report(1, value, loss=loss))
        conductor.ended(trial)
    assert conductor.ending == "budget.stagnation=1 is spent"


def test_a_stagnation_goes_on_counting_with_the_next_driver(folder: StudyFolder) -> None:
    first = conduct(folder, make_plan(stagnation=3))
    for value in (0.5, 0.4, 0.3):
        train(first, value)
    first.close(interrupted=True)
    again = conduct(folder, make_plan(stagnation=3))
    train(again, 0.2)
    assert again.ending == "budget.stagnation=3 is spent"


def test_accounted_seconds_are_the_trials(folder: StudyFolder) -> None:
    plan = make_plan(max_retries=1, max_gpu_hours=100.0)
    conductor = conduct(folder, plan)
    trial, other = start(conductor), start(conductor)
    conductor.reported(trial, report(1, 0.5, seconds=1000.0))
    conductor.ended(trial, "killed", lost=True)
    conductor.reported(other, report(1, 0.5, seconds=500.0))
    assert start(conductor) == trial
    conductor.reported(trial, report(1, 0.5, seconds=700.0))
    assert (
        closed(conductor)["seconds"]["busy"] == sum(each.seconds for each in conductor.record.trials.values()) == 2200
    )
    assert conductor.record.gpu_hours(plan.gpus) == pytest.approx(2 * 2200 / 3600)
