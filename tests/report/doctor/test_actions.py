"""What is to be typed next exists in the study's own configuration and search space."""

from __future__ import annotations

from typing import Any

import pytest
from histories import CONFIG, made

from raytune_nn.report.doctor.actions import changed, lower_rate, scaled, with_callback
from raytune_nn.report.doctor.generalisation import _regularised


def test_a_value_of_the_configuration_is_overridden_itself() -> None:
    assert scaled(made(), "optimizer.lr", 10) == "optimizer.lr=0.03"
    assert scaled(made(), "model.net.width", 4) == "model.net.width=512"


def test_a_key_that_is_not_there_is_not_named() -> None:
    assert scaled(made(), "model.net.channels", 4) is None
    assert changed(made(), "model.hidden.size", 4) is None
    assert changed(made(), "trainer.gradient_clip_val", 1.0) == "trainer.gradient_clip_val=1", "null is a value"


def test_of_a_searched_value_its_range_is_moved() -> None:
    history = made(params={"optimizer": "sgd", "optimizer.lr": 0.003, "optimizer.momentum": 0.5})
    assert scaled(history, "optimizer.lr", 1 / 3) == "search_space.optimizer.lr.high=0.001"
    assert scaled(history, "optimizer.lr", 10) == "search_space.optimizer.lr.low=0.03"
    assert scaled(history, "optimizer.lr", 1e-3) == (
        "search_space.optimizer.lr.high=3e-06 search_space.optimizer.lr.low=3e-07"
    )


def test_the_other_bound_stays_what_the_value_may_be() -> None:
    space = {"model": {"net": {"dropout": {"dist": "uniform", "low": 0.0, "high": 0.5}}}}
    history = made(config={"search_space": space}, params={"model.net.dropout": 0.4})
    wider = "search_space.model.net.dropout.low=0.5 search_space.model.net.dropout.high=0.8"
    assert changed(history, "model.net.dropout", 0.5, most=0.8) == wider
    assert changed(history, "model.net.dropout", 0.8, most=0.8) is None


def test_a_range_of_a_branch_is_found_below_its_choice() -> None:
    optimizer = {**CONFIG["optimizer"], "momentum": 0.5}
    params = {"optimizer": "sgd", "optimizer.momentum": 0.5}
    history = made(config={"optimizer": optimizer}, params=params)
    assert changed(history, "optimizer.momentum", 0.1) == "search_space.optimizer.choose.sgd.momentum.high=0.1"


@pytest.mark.parametrize("domain", [{"dist": "choice", "options": [0.1, 0.01]}, "loguniform(1e-4, 1e-1)"])
def test_a_choice_and_a_text_have_no_range_to_move(domain: Any) -> None:
    space = {"search_space": {"optimizer": {"lr": domain}}}
    history = made(config=space, params={"optimizer.lr": 0.003})
    assert scaled(history, "optimizer.lr", 0.1) is None
    assert lower_rate(history, 10) == "trainer.gradient_clip_val=1"


def test_a_rate_of_the_module_s_own_is_not_named() -> None:
    history = made(config={"optimizer": {"_target_": None}})
    assert lower_rate(history, 10) == "trainer.gradient_clip_val=1"


def test_callbacks_join_those_that_are_there() -> None:
    assert with_callback(made(), "early_stopping") == "'callbacks=[probes,early_stopping]'"
    assert with_callback(made(), "probes") is None
    assert with_callback(made(config={"callbacks": {}}), "probes") == "callbacks=probes"
    assert with_callback(made(config={"callbacks": {"of_mine": {}}}), "probes") is None


def test_regularisation_goes_from_dropout_to_decay_to_an_earlier_end() -> None:
    assert _regularised(made()) == "model.net.dropout=0.2"
    without = {"model": {"net": {"width": 8}}}
    assert _regularised(made(config=without)) == "optimizer.weight_decay=0.1"
    neither = {**without, "optimizer": {"_target_": None}}
    assert _regularised(made(config=neither)) == "'callbacks=[probes,early_stopping]'"
