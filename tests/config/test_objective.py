"""One convention: a score is higher for better, whatever the direction of the metric."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from raytune_nn.config.objective import Objective, read_objective
from raytune_nn.config.schema import ObjectiveConfig, Take
from raytune_nn.errors import ConfigError

ACC = Objective("acc", maximise=True, take=Take.best)
LOSS = Objective("loss", maximise=False, take=Take.last)


def test_the_value_is_the_metrics_own() -> None:
    assert ACC.values({"acc": 0.5, "loss": 2.0}) == (0.5,)
    assert ACC.values({"loss": 2.0}) is None


@pytest.mark.parametrize("value", [-2.5, 0.0, 3.0, math.inf])
def test_scores_are_higher_for_better(value: float) -> None:
    assert ACC.score(value) == value
    assert LOSS.score(value) == -value


@pytest.mark.parametrize(
    ("objective", "value", "than", "better"),
    [
        (ACC, 0.6, 0.5, True),
        (ACC, 0.5, 0.6, False),
        (ACC, 0.5, 0.5, False),
        (LOSS, 0.5, 0.6, True),
        (LOSS, 0.6, 0.5, False),
        (LOSS, 0.5, 0.5, False),
        (ACC, -math.inf, None, True),
        (LOSS, math.inf, None, True),
        (ACC, math.nan, None, False),
        (LOSS, math.nan, 0.5, False),
    ],
)
def test_better(objective: Objective, value: float, than: float | None, better: bool) -> None:
    assert objective.better(value, than) is better


@pytest.mark.parametrize(
    ("objective", "value", "earlier", "replaces"),
    [
        (ACC, 0.6, 0.5, True),
        (ACC, 0.4, 0.5, False),
        (LOSS, 0.6, 0.5, True),
        (replace(ACC, folds=3), 0.4, 0.5, True),
        (replace(ACC, folds=3).of_fold, 0.4, 0.5, False),
    ],
)
def test_which_report_is_the_value(objective: Objective, value: float, earlier: float, replaces: bool) -> None:
    assert objective.replaces((value,), None)
    assert objective.replaces((value,), (earlier,)) is replaces


@pytest.mark.parametrize(("mode", "maximise", "folds"), [("max", True, None), ("min", False, 2)])
def test_reads_the_configuration(mode: str, maximise: bool, folds: int | None) -> None:
    config = ObjectiveConfig(metric="val_loss", mode=mode, take=Take.last, folds=folds)
    assert read_objective(config) == Objective("val_loss", maximise, Take.last, folds)


@pytest.mark.parametrize(("metric", "found"), [(None, "null"), ("", ""), (3, "3"), ({}, "{}")])
def test_the_metric_must_be_one_name(metric: Any, found: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_objective(ObjectiveConfig(metric=metric, mode="max", take=Take.best, folds=None))
    assert raised.value.rule == "objective.metric must be the name of a metric that the module logs, or a list of names"
    assert str(raised.value.found) == found
    assert raised.value.fix == "objective.metric=val_acc"


@pytest.mark.parametrize(("mode", "found"), [(None, "null"), ("maximise", "maximise"), ([], "[]"), (1, "1")])
def test_the_mode_must_be_max_or_min(mode: Any, found: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_objective(ObjectiveConfig(metric="acc", mode=mode, take=Take.best, folds=None))
    assert raised.value.rule == "objective.mode must be max or min"
    assert str(raised.value.found) == found
    assert raised.value.fix == "objective.mode=max"


@pytest.mark.parametrize("folds", [-1, 0, 1])
def test_one_fold_is_none(folds: int) -> None:
    with pytest.raises(ConfigError) as raised:
        read_objective(ObjectiveConfig(metric="acc", mode="max", take=Take.best, folds=folds))
    assert raised.value.rule == "objective.folds must be at least 2, or null for one training on the plain split"
    assert (raised.value.found, raised.value.fix) == (folds, "objective.folds=5")
