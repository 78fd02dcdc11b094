"""The bench of forecasts: what it reads of a plan, and what it says of studies."""

from __future__ import annotations

from typing import Any

from benches import load

from raytune_nn.modes.plan_forecast import forecast_rows
from raytune_nn.study.forecast import Forecast
from raytune_nn.trial.dry_run import Findings

bench: Any = load("forecast")


def outcome(took: float) -> Any:
    return bench.Outcome(low=20.0, middle=30.0, high=40.0, took=took, epochs_said=9, epochs=9)


def test_it_reads_the_hours_of_a_plan() -> None:
    told = Forecast((36.0, 72.0, 108.0), (0.0, 0.0, 0.0), (9.0, 9.0, 9.0), {"budget.num_trials": 1.0})
    plan = "\n".join(f"{name:<10} {value}" for name, value in forecast_rows(told, Findings(), ""))
    assert [float(hours) for hours in bench.HOURS.search(plan).groups()] == [0.01, 0.03, 0.02]


def test_intervals_that_hold_too_few_studies_miss_the_aim() -> None:
    held = {str(number): outcome(30.0) for number in range(4)}
    assert "4 of 5, aim" in bench.table({**held, "long": outcome(41.0)})
    assert "3 of 5 **missed**" in bench.table({**held, "0": outcome(19.0), "long": outcome(41.0)})


def test_a_median_that_is_far_off_misses_the_aim() -> None:
    assert "50%, aim" not in bench.table({"a": outcome(20.0)})
    assert "50% **missed**" in bench.table({"a": outcome(20.0)})
    assert "25%, aim" in bench.table({"a": outcome(24.0)})
