"""The limits of a study beside its number of trials."""

from __future__ import annotations

from typing import Any

import pytest
from hand_study import OBJECTIVE, make_settings

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.budget import Budget, check_budget, is_spent


def budget(objective: Objective = OBJECTIVE, gpus: float = 1, **limits: Any) -> Budget:
    return Budget(make_settings(**limits).budget, objective, gpus)


def record(busy: float = 0.0) -> StudyRecord:
    """Of a study that was opened at 1000 seconds, and has trained so many."""
    made = StudyRecord(OBJECTIVE)
    made.apply({"type": "opened", "time": 1000.0, "name": "s"})
    made.busy_seconds = busy
    return made


def test_no_limit_is_never_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1e12)
    assert budget().spent(record(busy=1e12)) == ""
    assert budget().reaches_target(1e12) == ""


@pytest.mark.parametrize(("now", "reason"), [(2799.9, ""), (2800.0, "budget.max_hours=0.5 is spent")])
def test_wall_hours_run_from_the_opening(now: float, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: now)
    limit = budget(max_hours=0.5)
    assert limit.spent(record()) == reason
    assert limit.spent(record()) == reason, "asking changes nothing"


@pytest.mark.parametrize(
    ("gpus", "busy", "reason"),
    [
        (2, 1799.0, ""),
        (2, 1800.0, "budget.max_gpu_hours=1 is spent"),
        (0.25, 3600.0, ""),
        (0.25, 14400.0, "budget.max_gpu_hours=1 is spent"),
        (0, 1e9, ""),
    ],
)
def test_gpu_hours_are_those_of_all_trials(gpus: float, busy: float, reason: str) -> None:
    assert budget(gpus=gpus, max_gpu_hours=1).spent(record(busy)) == reason


@pytest.mark.parametrize(
    ("maximise", "value", "reached"),
    [(True, 0.9, True), (True, 0.95, True), (True, 0.89, False), (False, 0.9, True), (False, 0.91, False)],
)
def test_a_target_is_reached_from_the_side_of_worse_values(maximise: bool, value: float, reached: bool) -> None:
    reason = budget(Objective("loss", maximise, Take.best), target=0.9).reaches_target(value)
    assert reason == (f"budget.target=0.9 is reached: {value}" if reached else "")


def test_nan_reaches_no_target() -> None:
    assert budget(target=0.9).reaches_target(float("nan")) == ""


LIMITS = ["num_trials", "max_epochs", "max_hours", "max_gpu_hours", "max_total_epochs", "stagnation"]


@pytest.mark.parametrize("key", LIMITS)
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_cannot_be_kept_is_refused(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"budget.{key} must be greater than 0") as caught:
        check_budget(make_settings(**{key: value}).budget, OBJECTIVE)
    assert caught.value.fix == f"budget.{key}=1"


def test_limits_that_can_be_kept() -> None:
    check_budget(make_settings().budget, OBJECTIVE)
    limits = {"max_hours": 0.01, "max_gpu_hours": 1, "max_total_epochs": 1, "stagnation": 1, "target": -5.0}
    check_budget(make_settings(**limits).budget, OBJECTIVE)


@pytest.mark.parametrize(
    ("reason", "limits", "spent"),
    [
        ("", {}, False),
        ("budget.max_hours=1 is spent", {"max_hours": 1.0}, True),
        ("budget.max_hours=1 is spent", {"max_hours": 0.5}, True),
        ("budget.max_hours=1 is spent", {"max_hours": 1.5}, False),
        ("budget.max_hours=0.333333 is spent", {"max_hours": 1 / 3}, True),
        ("budget.max_total_epochs=50 is spent", {"max_total_epochs": 50}, True),
        ("budget.max_total_epochs=50 is spent", {"max_total_epochs": 51}, False),
        ("budget.max_total_epochs=50 is spent", {}, False),
        ("budget.stagnation=3 is spent", {"stagnation": 3}, True),
        ("budget.stagnation=3 is spent", {"stagnation": 4}, False),
        ("budget.max_gpu_hours=1 is spent", {"max_gpu_hours": 9.0}, True),
        ("budget.target=0.9 is reached: 0.95", {}, True),
    ],
)
def test_a_raised_limit_is_not_spent(reason: str, limits: dict[str, Any], spent: bool) -> None:
    assert is_spent(reason, make_settings(**limits).budget) is spent


def test_epochs_are_those_of_all_trials() -> None:
    made = record()
    made.epochs = 9
    assert budget(max_total_epochs=10).spent(made) == ""
    made.epochs = 10
    assert budget(max_total_epochs=10).spent(made) == "budget.max_total_epochs=10 is spent"
