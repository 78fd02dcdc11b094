"""What a study of folds may ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from command_line import inside, refused
from hand_study import OBJECTIVE

from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError
from raytune_nn.modes.preflight import preflight
from raytune_nn.search.asha import ASHA
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.space import Space
from raytune_nn.space.domains import Choice
from raytune_nn.study.folds import check_folds

EPOCHS = 3  # of a fold
THREE = replace(OBJECTIVE, folds=3)
CUT = {"_target_": "my.Data", "folds": None, "fold": 0}


def check(
    data: dict[str, Any] | None = None,
    scheduler: Scheduler | None = None,
    branches: dict[str, Any] | None = None,
    space: Space | None = None,
) -> None:
    config = {"data": CUT if data is None else data}
    check_folds(THREE, config, branches or {}, space or Space(), scheduler or NoScheduler(), EPOCHS)


def test_data_that_take_their_fold_are_accepted() -> None:
    check()
    check({**CUT, "folds": 3})
    check({"_target_": "my.Other"}, branches={"data": {"a": CUT, "b": {**CUT, "size": 3}}})
    check_folds(OBJECTIVE, {"data": {}}, {}, Space({"data.fold": Choice((0, 1))}), ASHA(9), 9)


@pytest.mark.parametrize(
    ("given", "rule", "found", "fix"),
    [
        (
            {"data": {"_target_": "my.Data"}},
            "objective.folds needs data that take `folds`",
            "data without folds and fold (my.Data)",
            "+data.folds=null +data.fold=0",
        ),
        (
            {"data": {"_target_": "my.Data", "folds": None}},
            "objective.folds needs data that take `folds`",
            "data without fold (my.Data)",
            "+data.fold=0",
        ),
        (
            {"branches": {"data": {"a": CUT, "b": {"_target_": "my.Other"}}}},
            "objective.folds needs data that take `folds`",
            "data without folds and fold (my.Other)",
            "+data.folds=null +data.fold=0",
        ),
        (
            {"data": {**CUT, "folds": 5}},
            "data.folds is set by objective.folds",
            "data.folds=5, objective.folds=3",
            "data.folds=null",
        ),
        (
            {"space": Space({"data.fold": Choice((0, 1))})},
            "with objective.folds each trial trains every fold, so data.fold cannot be searched",
            "search_space.data.fold",
            "~search_space.data.fold",
        ),
        (
            {"scheduler": ASHA(9, 1, 3)},
            "with objective.folds trials report once a fold, so no two rungs may lie in the same fold",
            "rungs at 1 and 3 epochs, 3 epochs a fold",
            "search.scheduler.grace_period=3",
        ),
    ],
)
def test_what_folds_cannot_go_with_is_refused(given: dict[str, Any], rule: str, found: str, fix: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check(**given)
    assert raised.value.rule.startswith(rule)
    assert (raised.value.found, raised.value.fix) == (found, fix)


@pytest.mark.usefixtures("here")
def test_preflight_checks_folds() -> None:
    def refuse(*overrides: str) -> tuple[str, str]:
        ran = refused("+search=asha", "objective.folds=5", *overrides, task=preflight)
        return ran.found, ran.fix

    assert refuse("~data.fold") == (
        "data without fold (raytune_nn.data.DigitsDataModule)",
        "+data.fold=0",
    )
    assert refuse("search.scheduler.grace_period=9") == (
        "rungs at 9 and 27 epochs, 27 epochs a fold",
        "search.scheduler.grace_period=27",
    )
    assert refuse("+search_space.data.folds='choice(2, 3)'")[1] == "~search_space.data.folds"
    assert refuse("objective.folds=1") == ("1", "objective.folds=5")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("folds", "rungs", "waits_at"),
    [("null", (1, 3, 9), (1, 3)), ("2", (9,), (9,)), ("5", (9, 27), (9, 27))],
)
def test_the_rungs_lie_where_trials_report(folds: str, rungs: tuple[int, ...], waits_at: tuple[int, ...]) -> None:
    def plan(composed: Composed) -> tuple[tuple[int, ...], tuple[int, ...] | None, int | None]:
        checked = preflight(composed)
        context = checked.plan.context(checked.folder)
        return checked.plan.scheduler.rungs, context.waits_at, context.objective.folds

    command = ("+search=asha", "budget.max_epochs=9", f"objective.folds={folds}")
    assert inside(plan, *command) == (rungs, waits_at, None if folds == "null" else int(folds))
