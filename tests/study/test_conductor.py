"""The conductor, call by call."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hand_study import Heard, conduct, make_plan, report, start, states, train

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.search.asha import ASHA
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal


class Told(Searcher):
    """Suggests a few times, and keeps what it is told."""

    def __init__(self, suggestions: int) -> None:
        self.suggestions = suggestions
        self.ends: list[tuple[str, Any, object, str]] = []

    def suggest(self, number: int) -> dict[str, Any] | None:
        return {"n": number} if number < self.suggestions else None

    def on_end(self, trial: str, params: dict[str, Any], score: object, state: str) -> None:
        self.ends.append((trial, params, score, state))


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


def test_num_trials_are_suggested_and_each_once(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=3))
    assert [train(conductor, 0.5) for _ in range(3)] == ["0", "1", "2"]
    assert conductor.finished
    assert conductor.next_task() is None
    params = [trial.params["optimizer.lr"] for trial in conductor.record.trials.values()]
    assert len(set(params)) == 3


def test_what_a_task_says(folder: StudyFolder) -> None:
    plan = make_plan()
    conductor = conduct(folder, plan)
    task = conductor.next_task()
    assert task is not None
    assert (task.id, task.params, task.front) == ("0", plan.searcher.suggest(0), ())
    conductor.started("0", slot=3)
    conductor.reported("0", report(1, 0.5))
    conductor.ended("0")
    again = conductor.next_task()
    assert again is not None
    assert (again.id, again.front) == ("1", ((0.5,),))


def test_an_exhausted_searcher_ends_the_study(folder: StudyFolder) -> None:
    plan = make_plan()
    conductor = conduct(folder, replace(plan, searcher=Told(2)))
    first, second = start(conductor), start(conductor)
    assert conductor.next_task() is None
    assert not conductor.finished, "two still run"
    for trial in (first, second):
        conductor.reported(trial, report(1, 0.5))
        conductor.ended(trial)
    assert conductor.finished
    conductor.close(interrupted=False)
    assert conductor.record.status == "complete"


def test_what_the_searcher_is_told(folder: StudyFolder) -> None:
    searcher = Told(9)
    plan = make_plan(objective=Objective("val_acc", False, Take.best))
    conductor = conduct(folder, replace(plan, searcher=searcher))
    train(conductor, 0.7, 0.5)
    train(conductor, 0.7, math.nan)
    train(conductor, 0.7, error="ValueError")
    assert searcher.ends == [
        ("0", {"n": 0}, -0.5, "complete"),
        ("1", {"n": 1}, None, "diverged"),
        ("2", {"n": 2}, None, "failed"),
    ]


def test_a_failed_trial_is_handed_out_again_under_its_id(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(num_trials=1, max_retries=2), heard)
    for attempt in range(3):
        assert not conductor.finished
        task = conductor.next_task()
        assert task is not None
        assert task.id == "0"
        assert conductor.next_task() is None, "it is handed out once an attempt"
        conductor.started("0")
        conductor.reported("0", report(1, 0.9))
        assert not conductor.finished
        conductor.ended("0", f"Traceback\n  here\nValueError: attempt {attempt}\n")
    assert conductor.finished
    trial = conductor.record.trials["0"]
    assert (trial.state, trial.retries, trial.reason) == ("failed", 2, "ValueError: attempt 2")
    (cause,) = conductor.record.causes.of_failures
    assert cause.error == "Traceback\n  here\nValueError: attempt 0\n", "of the first attempt of this cause"
    assert (cause.count, cause.retries) == (1, 2)
    assert heard.types.count("suggested") == 1
    assert heard.types.count("retried") == 2


def test_a_retry_comes_before_a_new_suggestion(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=3, max_retries=1))
    start(conductor)
    start(conductor)
    conductor.ended("0", "ValueError")
    conductor.ended("1", "ValueError")
    assert [start(conductor) for _ in range(3)] == ["0", "1", "2"], "and what failed first comes first"


@pytest.mark.parametrize("error", ["\n", "  ", "ValueError: x\n\n"])
def test_any_text_can_be_an_error(error: str, folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    train(conductor, error=error)
    assert states(conductor) == ["failed"]
    assert conductor.record.trials["0"].reason == ("ValueError: x" if "x" in error else "no word of what went wrong")


def test_a_metric_that_nobody_logs_makes_the_study_invalid(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    trial, other = start(conductor), start(conductor)
    assert not conductor.reported(trial, report(1, None))
    assert conductor.finished
    assert conductor.next_task() is None
    assert not conductor.reported(other, report(1, 0.5)), "the study is over"
    conductor.close(interrupted=False)
    assert (conductor.record.status, conductor.record.reason) == ("invalid", "val_acc is not logged")
    assert isinstance(conductor.fault, ConfigError)
    assert "val_acc; the module logs loss, val_loss" in str(conductor.fault)
    assert conductor.fault.fix == "objective.metric=loss"


def test_of_several_loaders_a_metric_has_a_longer_name(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    metrics = {"loss": 1.0, "val_acc/dataloader_idx_0": 0.5, "val_acc/dataloader_idx_1": 0.5}
    assert not conductor.reported(start(conductor), {**report(1, None), "metrics": metrics})
    conductor.close(interrupted=False)
    assert isinstance(conductor.fault, ConfigError)
    assert conductor.fault.fix == "objective.metric=val_acc/dataloader_idx_0"


def test_a_module_that_logs_nothing_makes_the_study_invalid(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    train(conductor)
    conductor.close(interrupted=False)
    assert conductor.record.status == "invalid"
    assert "the module logs nothing at all" in str(conductor.fault)


def test_a_metric_that_others_have_logged_is_missed_by_one_trial_only(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=3))
    train(conductor, 0.5)
    assert not conductor.reported(start(conductor), report(1, None))
    train(conductor)
    conductor.close(interrupted=False)
    assert states(conductor) == ["complete", "failed", "failed"]
    assert conductor.record.trials["1"].reason == "val_acc is not logged"
    assert conductor.record.status == "complete", "an invalid study would be removed by the next command"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_ends_the_trial(value: float, folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=2, max_retries=3))
    trial = start(conductor)
    assert conductor.reported(trial, report(1, 0.9))
    assert not conductor.reported(trial, report(2, value))
    conductor.ended(trial)  # what the slot says once the training has stopped
    train(conductor, 0.1)
    assert states(conductor) == ["diverged", "complete"]
    assert conductor.record.trials["0"].reason == f"val_acc was {value} at epoch 2"
    assert conductor.record.best is conductor.record.trials["1"]
    assert conductor.finished, "a trial that diverged is not tried again"


def test_reports_after_the_end_are_ignored(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(), heard)
    trial = train(conductor, 0.5)
    written = len(heard)
    assert not conductor.reported(trial, report(2, 0.9))
    conductor.ended(trial, "late")
    assert len(heard) == written
    assert conductor.record.trials[trial].value == 0.5


def test_the_scheduler_stops_a_trial_and_says_why(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(ASHA(9, promote=False)), heard)
    trials = [start(conductor) for _ in range(3)]
    answers = [
        conductor.reported(trial, report(1, value)) for trial, value in zip(trials, (0.9, 0.8, 0.7), strict=True)
    ]
    assert answers == [True, True, False]
    assert heard.types[-3:] == ["reported", "decided", "ended"]
    assert heard[-2]["decision"] == "stop"
    assert heard[-2]["epoch"] == 1
    assert conductor.record.trials["2"].state == "stopped"
    assert conductor.record.trials["2"].reason == "stopped at rung 1: 0.7 < 0.9"


def test_the_scheduler_hears_scores_not_values(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(ASHA(9, promote=False), Objective("val_acc", False, Take.best)))
    trials = [start(conductor) for _ in range(3)]
    answers = [
        conductor.reported(trial, report(1, value)) for trial, value in zip(trials, (0.9, 0.8, 0.7), strict=True)
    ]
    assert answers == [True, True, True], "of a minimised metric each was better than those before"


def test_a_checkpoint_is_in_the_journal_before_its_report(folder: StudyFolder) -> None:
    """Else a driver that dies between the two, and stops the trial once it is back, forgets the model."""
    heard = Heard()
    conductor = conduct(folder, make_plan(), heard)
    conductor.reported(start(conductor), report(1, 0.5, checkpoint="0"))
    assert heard.types == ["suggested", "started", "checkpointed", "reported"]
    assert conductor.record.trials["0"].checkpoint == "0"


def test_the_listener_hears_what_the_journal_holds(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(ASHA(9, promote=False), num_trials=2), heard)
    train(conductor, 0.5, 0.6)
    train(conductor, 0.5, error="E")
    conductor.close(interrupted=False)
    assert list(read_journal(folder.journal))[1:] == heard
    assert heard.types[-1] == "closed"
