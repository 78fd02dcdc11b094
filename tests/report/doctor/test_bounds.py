"""Parameters at their bounds: real ranges, few values, choices and branches."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from histories import BOTH, made

from raytune_nn.report.doctor.bounds import pressed
from raytune_nn.report.doctor.diagnose import diagnose_study
from raytune_nn.report.doctor.finding import Kind
from raytune_nn.report.doctor.history import History
from raytune_nn.space.parse import parse_space

LR: dict[str, Any] = {"optimizer": {"lr": {"dist": "loguniform", "low": 1e-4, "high": 1e-2}}}


def trials(tree: dict[str, Any], value: Callable[[dict[str, Any]], float], count: int = 32) -> list[History]:
    """A random search whose trials have these accuracies."""
    rng, space = random.Random(0), parse_space(tree)
    found = []
    for number in range(count):
        params = space.sample(rng)
        series = {"val_acc": (value(params),) * 5}
        found.append(made(series, {"search_space": tree}, params, id=str(number)))
    return found


def actions(tree: dict[str, Any], histories: list[History]) -> list[str]:
    return [finding.action for finding in pressed(histories, parse_space(tree))]


def test_the_best_rates_are_the_highest() -> None:
    (finding,) = pressed(trials(LR, lambda params: params["optimizer.lr"]), parse_space(LR))
    assert finding.kind is Kind.bound
    assert finding.action == "search_space.optimizer.lr.high=0.1"
    assert finding.evidence.startswith("8 of the 8 best trials are near optimizer.lr high=0.01: 0.00")


def test_a_bound_that_trainings_ask_to_lower_is_not_raised() -> None:
    histories, space = trials(LR, lambda params: params["optimizer.lr"]), parse_space(LR)
    assert [finding.kind for finding in diagnose_study(histories, space).study] == [Kind.bound]
    swings = {"val_loss": (1.2, 0.4, 0.7, 0.3, 0.6, 0.3, 0.7, 0.4, 0.6, 0.3)}
    found = diagnose_study([*histories, made(swings, {"search_space": LR}, {"optimizer.lr": 9e-3}, id="fast")], space)
    assert [count.action for count in found.counts] == ["search_space.optimizer.lr.high=0.001"]
    assert found.study == []


def test_the_best_rates_are_the_lowest() -> None:
    histories = trials(LR, lambda params: 1 - params["optimizer.lr"], count=200)
    assert actions(LR, histories) == ["search_space.optimizer.lr.low=1e-05"]


def test_the_best_rates_are_in_the_middle() -> None:
    assert actions(LR, trials(LR, lambda params: 1 - abs(params["optimizer.lr"] - 1e-3))) == []


def test_few_trials_tell_nothing_and_that_is_said() -> None:
    few = trials(LR, lambda params: params["optimizer.lr"], count=5)
    found = diagnose_study(few, parse_space(LR))
    assert found.study == []
    assert [(unseen.kinds, unseen.action) for unseen in found.study_unseen] == [((Kind.bound,), "budget.num_trials=16")]


def test_failed_trials_have_no_say() -> None:
    histories = trials(LR, lambda params: params["optimizer.lr"])
    diverged = [made({"val_acc": (9.0,) * 5}, params={"optimizer.lr": 1e-4}, state="diverged") for _ in range(20)]
    assert actions(LR, histories + diverged) == ["search_space.optimizer.lr.high=0.1"]


def test_choices_have_no_bound_and_a_share_ends_at_zero() -> None:
    tree = {"model": {"net": {"width": {"dist": "choice", "options": [8, 16, 32]}}}}
    assert actions(tree, trials(tree, lambda params: params["model.net.width"])) == []
    share = {"model": {"net": {"dropout": {"dist": "uniform", "low": 0.0, "high": 0.5}}}}
    assert actions(share, trials(share, lambda params: -params["model.net.dropout"])) == []
    wider = actions(share, trials(share, lambda params: params["model.net.dropout"]))
    assert wider == ["search_space.model.net.dropout.high=0.75"]


def test_of_three_values_the_last_is_likely_by_itself() -> None:
    depth: dict[str, Any] = {"model": {"net": {"depth": {"dist": "randint", "low": 1, "high": 3}}}}
    rng = random.Random(1)
    assert actions(depth, trials(depth, lambda params: rng.random())) == []
    assert actions(depth, trials(depth, lambda params: params["model.net.depth"])) == [
        "search_space.model.net.depth.high=5"
    ]


def test_a_branch_is_judged_by_its_own_trials() -> None:
    momentum = {"momentum": {"dist": "uniform", "low": 0.0, "high": 0.5}}
    tree: dict[str, Any] = {"optimizer": {"choose": {"sgd": momentum, "adamw": {}}}}
    histories = trials(tree, lambda params: params.get("optimizer.momentum", 0.9), count=80)
    assert actions(tree, histories) == ["search_space.optimizer.choose.sgd.momentum.high=0.75"]


def test_each_objective_has_its_own_best() -> None:
    rng, found = random.Random(0), []
    for number in range(32):
        rate = parse_space(LR).sample(rng)["optimizer.lr"]
        series = {"val_acc": (1.0 - abs(rate - 1e-3),) * 5, "val_loss": (1 - rate,) * 5}
        params = {"optimizer.lr": rate}
        found.append(made(series, {"search_space": LR}, params, id=str(number), objective=BOTH))
    assert actions(LR, found) == ["search_space.optimizer.lr.high=0.1"]
