"""The bench of population-based training: its commands pass every check, and its intervals are those of the book."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benches import load
from command_line import inside

from raytune_nn.modes.preflight import Checked, preflight

pbt: Any = load("pbt")


def row(seed: int, method: str, val_acc: float) -> Any:
    return pbt.Row(seed, method, val_acc, epochs=96, seconds=20.0)


@pytest.mark.usefixtures("here")
def test_both_searches_begin_at_the_same_points() -> None:
    plans = []
    for command in pbt.commands(members=3, epochs=4).values():
        checked: Checked = inside(preflight, *command, "seed=5")
        plans.append(checked.plan)
    reference, population, wide = ([plan.searcher.suggest(number) or {} for number in range(3)] for plan in plans)
    assert reference == population
    assert [params["optimizer.lr"] for params in reference] == [1e-5] * 3
    assert len({str(params) for params in reference}) == 3, "what else is tuned is drawn"
    assert all(params["optimizer.lr"] > 1e-5 for params in wide)
    assert {(plan.num_trials, plan.settings.budget.max_epochs) for plan in plans} == {(3, 4)}
    assert plans[1].scheduler.decision_steps == frozenset({1, 2, 3})


def test_the_interval_is_student_s() -> None:
    """By hand: mean 3, deviation sqrt(2.5), and 2.776 is the quantile of four degrees of freedom."""
    low, high = pbt.student_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    half = 2.7764451 * (2.5**0.5) / 5**0.5
    assert (low, high) == pytest.approx((3 - half, 3 + half), abs=1e-6)


def test_the_bootstrap_s_interval_is_that_of_a_mean() -> None:
    gains = np.random.default_rng(1).normal(0.5, 1.0, 400)
    low, high = pbt.bootstrap_interval(gains)
    half = 1.96 * gains.std() / 20
    assert (low, high) == pytest.approx((gains.mean() - half, gains.mean() + half), abs=0.01)


def test_differences_are_taken_seed_by_seed() -> None:
    rows = [row(seed, pbt.REFERENCE, value) for seed, value in ((1, 0.25), (2, 0.5))]
    rows += [row(seed, "other", value) for seed, value in ((2, 0.75), (1, 0.5))]
    _, _, reference, other = pbt.table(rows).splitlines()
    assert reference == f"| {pbt.REFERENCE} | 0.375 (0.250 to 0.500) |  |  | 96 |"
    assert other == "| other | 0.625 (0.500 to 0.750) | +0.250 (+0.250 to +0.250) | +0.250 to +0.250 | 96 |"
