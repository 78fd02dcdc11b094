"""What is called takes the keywords that it is given; schedule and parameter groups fit what they belong to."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.trial.keywords import check_keywords, check_param_groups, check_schedule


def build(width: int, depth: int = 1, *, norm: str = "none") -> None: ...


def build_any(width: int, **rest: Any) -> None: ...


def check(node: dict[str, Any], target: Any = build, extras: tuple[str, ...] = ()) -> None:
    check_keywords("model", target, {"_target_": "pkg.Net", **node}, extras)


def refused(node: dict[str, Any], target: Any = build, extras: tuple[str, ...] = ()) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        check(node, target, extras)
    return raised.value


@pytest.mark.parametrize(
    "node",
    [
        {"width": 1},
        {"width": 1, "depth": 2, "norm": "layer"},
        {"_args_": [1]},
        {"_args_": [1, 2], "norm": "layer"},
        {"_partial_": True},
        {"_partial_": True, "depth": 2},
    ],
)
def test_keywords_that_fit(node: dict[str, Any]) -> None:
    check(node)


def test_anything_goes_where_the_target_takes_any() -> None:
    check({"width": 1, "whatever": 2}, build_any)
    check({"whatever": 2}, functools.partial(build_any, 1))
    check({"whatever": 2}, iter)  # written in C, without a signature


@pytest.mark.parametrize(
    ("key", "fix"), [("widht", "model.width=5"), ("dept", "+model.depth=5"), ("zzz", "~model.zzz")]
)
def test_an_unknown_keyword_is_named_with_the_nearest(key: str, fix: str) -> None:
    error = refused({"width": 1, key: 5})
    assert error.rule == f"model.{key} must be a keyword of pkg.Net"
    assert error.found == f"{key}; known are width, depth, norm"
    assert error.fix == fix


def test_what_the_target_needs_must_be_given() -> None:
    error = refused({"depth": 2})
    assert error.rule == "model must give 'width', which pkg.Net needs"
    assert (error.found, error.fix) == (None, "+model.width=…")
    assert refused({"depth": 2}, build_any).fix == "+model.width=…"


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({"_args_": [1, 2, 3]}, "too many positional arguments"),
        ({"_args_": [1], "width": 1}, "multiple values for argument 'width'"),
        ({"_args_": [1, 2, 3], "_partial_": True}, "too many positional arguments"),
    ],
)
def test_positional_arguments_must_fit(node: dict[str, Any], found: str) -> None:
    error = refused(node)
    assert error.rule == "model must fit pkg.Net"
    assert (str(error.found), error.fix) == (found, "~model._args_")


def test_what_the_tuner_sets_is_not_the_users_to_set() -> None:
    check({"depth": 2}, extras=("width",))
    error = refused({"width": 1}, extras=("width",))
    assert (error.rule, error.found, error.fix) == ("model.width is set by the tuner itself", 1, "~model.width")
    assert refused({"_args_": [1]}, extras=("width",)).rule == "model must fit pkg.Net"


def test_what_cannot_be_called() -> None:
    assert refused({}, target={}).rule == "model._target_ must be callable"


PLATEAU = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau"}


@pytest.mark.parametrize(
    "node",
    [
        {"scheduler": None},
        {"scheduler": {}, "interval": "epoch", "frequency": 2, "monitor": "a", "strict": True},
        {"scheduler": {}, "interval": "step", "warmup": 500, "warmup_start": 0},
        {"scheduler": PLATEAU, "monitor": "a", "warmup": 8, "warmup_start": 1},
    ],
)
def test_a_schedule_that_can_be_built(node: dict[str, Any]) -> None:
    check_schedule(node, 9)


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("freqency", "+lr_scheduler.frequency=5"),
        ("warm_up", "+lr_scheduler.warmup=5"),
        ("intervall", "lr_scheduler.interval=5"),
        ("gamma", "~lr_scheduler.gamma"),
    ],
)
def test_a_key_that_lightning_would_pass_over(key: str, fix: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_schedule({"scheduler": None, "interval": "epoch", key: 5})
    assert raised.value.rule == f"lr_scheduler.{key} must be a key of Lightning's schedules or the warm-up"
    assert raised.value.fix == fix


@pytest.mark.parametrize(
    ("node", "found", "fix"),
    [
        ({"interval": "epok"}, "epok", "lr_scheduler.interval=epoch"),
        ({"frequency": 0}, 0, "lr_scheduler.frequency=1"),
        ({"frequency": None}, None, "lr_scheduler.frequency=1"),
        ({"frequency": 2, "interval": "step"}, "lr_scheduler.frequency=2", "lr_scheduler.frequency=1"),
        ({"scheduler": PLATEAU, "interval": "step"}, "lr_scheduler.interval=step", "lr_scheduler.interval=epoch"),
        ({"warmup": -1}, -1, "lr_scheduler.warmup=2"),
        ({"warmup": 0.5}, 0.5, "lr_scheduler.warmup=2"),
        ({"warmup": True}, True, "lr_scheduler.warmup=2"),
        ({"warmup": 9}, "9 of 9 epochs", "lr_scheduler.warmup=0"),
        ({"warmup_start": 1.5}, 1.5, "lr_scheduler.warmup_start=0.1"),
        ({"warmup_start": None}, None, "lr_scheduler.warmup_start=0.1"),
    ],
)
def test_a_schedule_that_cannot_be_built(node: dict[str, Any], found: object, fix: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_schedule({"scheduler": None, **node}, 9)
    assert (raised.value.found, raised.value.fix) == (found, fix)


ADAM, LBFGS = {"_target_": "torch.optim.Adam"}, {"_target_": "torch.optim.LBFGS"}


@pytest.mark.parametrize("optimizer", [ADAM, LBFGS, {"_target_": None}])
def test_groups_that_change_nothing_fit_every_optimizer(optimizer: dict[str, Any]) -> None:
    check_param_groups(optimizer, {}, None)
    check_param_groups(optimizer, {"decay_norms_and_biases": True, "layer_decay": 1.0}, 1)


def test_groups_and_accumulation_that_fit() -> None:
    check_param_groups(ADAM, {"decay_norms_and_biases": False, "layer_decay": 0.5}, 4)


@pytest.mark.parametrize(
    ("optimizer", "groups", "accumulate", "rule"),
    [
        (ADAM, {"layer_decay": 0}, 1, "0 < param_groups.layer_decay <= 1 must hold"),
        (ADAM, {"layer_decay": 1.5}, 1, "0 < param_groups.layer_decay <= 1 must hold"),
        (LBFGS, {"layer_decay": 0.5}, 1, "L-BFGS takes no groups of parameters"),
        (
            LBFGS,
            {"decay_norms_and_biases": False},
            1,
            "param_groups.decay_norms_and_biases=false needs an optimizer with weight_decay",
        ),
        (LBFGS, {}, 2, "L-BFGS takes no accumulated gradients"),
    ],
)
def test_groups_that_an_optimizer_cannot_have(
    optimizer: dict[str, Any], groups: dict[str, Any], accumulate: int, rule: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        check_param_groups(optimizer, groups, accumulate)
    assert raised.value.rule == rule
