"""What watches the objective names one metric where the objective has several."""

from __future__ import annotations

from typing import Any

import pytest
from command_line import compose, inside

from raytune_nn.config.monitors import check_monitors
from raytune_nn.config.objective import Goal, Objective, read_objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.modes.preflight import preflight

TWO = Objective("val_acc", True, Take.best, further=(Goal("val_loss", False),))
LISTS = ("objective.metric=[val_acc,val_loss]", "objective.mode=[max,min]")
STOPPING = {"es": {"monitor": "${objective.metric}", "mode": "${objective.mode}", "patience": 3}}


def objective(metric: Any, mode: Any) -> dict[str, Any]:
    return {"objective": {"metric": metric, "mode": mode}}


def test_one_metric_is_watched_by_its_name() -> None:
    config = {**objective("val_acc", "max"), "callbacks": STOPPING}
    check_monitors(Objective("val_acc", True, Take.best), config, {"lr_scheduler": {"plateau": STOPPING}})


def test_a_list_cannot_be_watched() -> None:
    config = {**objective(["val_acc", "val_loss"], ["max", "min"]), "callbacks": STOPPING}
    with pytest.raises(ConfigError) as raised:
        check_monitors(TWO, config, {"optimizer": {"mine": {"monitor": "${objective.metric}"}, "sgd": {"lr": 1}}})
    assert raised.value.found == "callbacks.es.monitor, callbacks.es.mode, optimizer.monitor"
    assert raised.value.fix == "callbacks.es.monitor=val_acc callbacks.es.mode=max optimizer.monitor=val_acc"


def test_a_list_of_one_metric_cannot_be_watched_either() -> None:
    config = {**objective(["val_acc"], "max"), "callbacks": STOPPING}
    with pytest.raises(ConfigError) as raised:
        check_monitors(Objective("val_acc", True, Take.best), config, {})
    assert raised.value.fix == "callbacks.es.monitor=val_acc"


def test_other_keys_may_take_the_list() -> None:
    config = {**objective(["a", "b"], ["max", "min"]), "callbacks": {"mine": {"metrics": "${objective.metric}"}}}
    check_monitors(TWO, config, {})


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("option", ["callbacks=early_stopping", "lr_scheduler=plateau"])
def test_the_shipped_options_are_mended_as_told(option: str) -> None:
    composed = compose("+search=nsga2", option, *LISTS)
    with pytest.raises(ConfigError) as raised:
        check_monitors(read_objective(composed.settings.objective), composed.config, {})
    fix = raised.value.fix.split()
    plan = inside(lambda composed: preflight(composed).plan, "+search=nsga2", option, *LISTS, *fix)
    assert plan.objective == TWO
