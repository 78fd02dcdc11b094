"""Several metrics: how they are read, and which values dominate which."""

from __future__ import annotations

import math
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from raytune_nn.config.objective import Goal, Objective, Values, finite, overrides, read_goals, read_objective
from raytune_nn.config.schema import ObjectiveConfig, Take
from raytune_nn.errors import ConfigError

TWO = Objective("acc", True, Take.best, further=(Goal("loss", False),))
values = st.tuples(st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([0.1, 0.2, 0.3]))


def config(metric: Any, mode: Any, folds: int | None = None) -> ObjectiveConfig:
    return ObjectiveConfig(metric=metric, mode=mode, take=Take.best, folds=folds)


def test_lists_are_metrics_and_their_directions() -> None:
    assert read_objective(config(["acc", "loss"], ["max", "min"])) == TWO
    assert TWO.goals == (Goal("acc", True), Goal("loss", False))


@pytest.mark.parametrize("metric", ["acc", ["acc"]])
@pytest.mark.parametrize("mode", ["max", ["max"]])
def test_a_list_of_one_is_that_one(metric: Any, mode: Any) -> None:
    assert read_objective(config(metric, mode)) == Objective("acc", True, Take.best)


@pytest.mark.parametrize(
    ("metric", "mode", "rule", "fix"),
    [
        ([], "max", "must be the name of a metric", "objective.metric=val_acc"),
        (["acc", 3], ["max", "min"], "must be the name of a metric", "objective.metric=val_acc objective.mode=max"),
        (["acc", ""], ["max", "min"], "must be the name of a metric", "objective.metric=val_acc objective.mode=max"),
        ([["acc"]], "max", "must be the name of a metric", "objective.metric=val_acc"),
        (["acc", "loss"], "max", "must say max or min once for each", "'objective.mode=[max,min]'"),
        (["acc", "loss"], "min", "must say max or min once for each", "'objective.mode=[min,min]'"),
        (["a", "b"], ["max", "min", "min"], "must say max or min once for each", "'objective.mode=[max,min]'"),
        ("acc", ["max", "min"], "must say max or min once for each", "objective.mode=max"),
        (["a", "b"], ["min", "least"], "must be max or min, for each metric", "'objective.mode=[min,max]'"),
        (["a", "b"], [["max"], "min"], "must be max or min, for each metric", "'objective.mode=[max,min]'"),
        (["a", "b"], None, "must be max or min, for each metric", "'objective.mode=[max,min]'"),
        (["a", "a"], ["max", "min"], "must name each metric once", "objective.metric=a objective.mode=max"),
        (
            ["a", "b", "a"],
            ["max", "min", "max"],
            "must name each metric once",
            "'objective.metric=[b,a]' 'objective.mode=[min,max]'",
        ),
    ],
)
def test_what_is_refused_can_be_mended_as_told(metric: Any, mode: Any, rule: str, fix: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_goals(metric, mode)
    assert rule in raised.value.rule
    assert raised.value.fix == fix
    typed = OmegaConf.from_dotlist(shlex.split(fix))
    mended: Any = OmegaConf.to_container(OmegaConf.merge({"objective": {"metric": metric, "mode": mode}}, typed))
    assert read_goals(mended["objective"]["metric"], mended["objective"]["mode"])


def test_folds_have_one_metric() -> None:
    with pytest.raises(ConfigError, match=r"objective\.folds takes the mean of one metric") as raised:
        read_objective(config(["acc", "loss"], ["max", "min"], folds=3))
    assert raised.value.fix == "objective.folds=null"


def test_what_to_type_reads_back() -> None:
    for goals in ([Goal("a/b", False)], list(TWO.goals)):
        typed: Any = OmegaConf.to_container(OmegaConf.from_dotlist(shlex.split(overrides(goals))))
        assert read_goals(typed["objective"]["metric"], typed["objective"]["mode"]) == goals


def test_a_report_has_all_values_or_none() -> None:
    assert TWO.values({"loss": 2.0, "acc": 0.5, "other": 1.0}) == (0.5, 2.0)
    assert TWO.values({"acc": 0.5}) is None
    assert TWO.values({"loss": 0.5}) is None
    assert TWO.scores((0.5, 2.0)) == (0.5, -2.0)


def test_all_of_them_must_be_finite() -> None:
    assert finite((0.5, 2.0))
    assert not finite(None)
    for broken in [(0.5, math.nan), (math.inf, 2.0), (0.5, -math.inf)]:
        assert not finite(broken)
    assert TWO.not_finite((0.5, math.nan)) == "loss was nan"
    assert TWO.not_finite((-math.inf, math.nan)) == "acc was -inf"


@pytest.mark.parametrize(
    ("missing", "logged", "fix"),
    [
        ("loss", ["acc"], "objective.metric=acc objective.mode=max"),
        ("loss", ["acc", "zeal"], "'objective.metric=[acc,zeal]' 'objective.mode=[max,min]'"),
        ("loss", ["acc", "a", "loss/0"], "'objective.metric=[acc,loss/0]' 'objective.mode=[max,min]'"),
        ("acc", ["f1", "loss"], "'objective.metric=[f1,loss]' 'objective.mode=[max,min]'"),
        ("acc", ["train_loss", "accu"], "'objective.metric=[accu,loss]' 'objective.mode=[max,min]'"),
        ("acc", [], "self.log(…) in validation_step"),
    ],
)
def test_what_to_type_in_place_of_a_metric_that_is_not_logged(missing: str, logged: list[str], fix: str) -> None:
    assert TWO.instead(missing, logged) == fix


def test_the_first_metric_says_which_report_counts() -> None:
    assert TWO.replaces((0.6, 9.0), (0.5, 0.1))
    assert not TWO.replaces((0.5, 0.1), (0.5, 9.0))


@given(values, values)
def test_dominance_is_as_good_everywhere_and_better_somewhere(one: Values, other: Values) -> None:
    as_good = one[0] >= other[0] and one[1] <= other[1]
    assert TWO.dominates(one, other) == (as_good and (one[0] > other[0] or one[1] < other[1]))


@given(values, st.lists(values, max_size=4))
def test_only_what_is_dominated_stays_off_a_front(one: Values, front: list[Values]) -> None:
    assert TWO.joins(one, front) == (not any(TWO.dominates(other, one) for other in front))
    assert not TWO.joins((one[0], math.nan), front)


def test_a_front_of_one_metric_is_the_best_alone() -> None:
    acc = Objective("acc", True, Take.best)
    assert acc.joins((0.5,), [])
    assert acc.joins((0.6,), [(0.5,)])
    assert not acc.joins((0.5,), [(0.5,)]), "the first of equals stays"
    assert not acc.joins((math.nan,), [])
