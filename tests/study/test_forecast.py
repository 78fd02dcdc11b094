"""The simulated studies behind a plan's forecast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from raytune_nn.search.asha import ASHA
from raytune_nn.search.median import MedianStopping
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.study.epoch_costs import EpochCosts
from raytune_nn.study.forecast import Forecast, forecast
from raytune_nn.study.forecast_curves import LearningCurves
from raytune_nn.study.simulated_study import Extent, Overheads
from raytune_nn.trial.dry_run import Timing

EXTENT = Extent(trials=16, epochs=27, folds=1, slots=2, gpus=0.5)
ALIKE = [Timing({"width": width}, 0.5, 1.0, 1.0) for width in (32, 64)]
OVERHEADS = Overheads(10.0, 0.1, 2.0)


def foretold(
    scheduler: Scheduler | None = None, most: int | None = None, timings: Sequence[Timing] = (), **changes: Any
) -> Forecast:
    def suggest(number: int) -> dict[str, Any] | None:
        return {"width": number + 1} if most is None or number < most else None

    extent = replace(EXTENT, **changes)
    costs, curves = EpochCosts(ALIKE), LearningCurves(timings, extent.epochs * extent.folds)
    return forecast(extent, scheduler or NoScheduler(), suggest, costs, curves, OVERHEADS, seed=1)


def test_what_every_trial_trains_to_its_end() -> None:
    told = foretold()
    assert told.epochs == (432, 432, 432)
    middle = 12 + 16 * (27 + 0.6) / 2
    assert told.seconds[1] == pytest.approx(middle, rel=0.02)
    assert told.seconds[0] < told.seconds[1] < told.seconds[2]
    assert told.gpu_hours[1] == pytest.approx(0.5 * 16 * 27.6 / 3600, rel=0.02)
    assert told.ends == {"budget.num_trials": 1.0}


@pytest.mark.parametrize("change", [{"trials": 32}, {"epochs": 54}, {"folds": 2}, {"slots": 1}])
def test_more_to_train_takes_longer(change: dict[str, Any]) -> None:
    assert foretold(**change).seconds[1] > foretold().seconds[1]


def test_the_scheduler_is_the_studys_and_stays_as_it_is() -> None:
    scheduler = ASHA(27)
    told = foretold(scheduler)
    assert 16 + 5 * 2 + 6 <= told.epochs[1] < 216
    assert scheduler.standing() == ASHA(27).standing()
    assert foretold(scheduler) == told, "the seed decides"
    assert foretold(MedianStopping()).epochs[1] < 432


def test_trials_that_get_better_are_promoted_more_often() -> None:
    def ranked(sign: int) -> Forecast:
        timings = [Timing({"width": width}, 0.5, 1.0, 1.0, float(sign * width)) for width in range(1, 17)]
        return foretold(ASHA(27), timings=timings)

    assert ranked(1).epochs[0] > foretold(ASHA(27)).epochs[1] > ranked(-1).epochs[1]


def test_what_ends_a_study_first() -> None:
    hours = foretold(max_hours=60 / 3600)
    assert hours.ends == {"budget.max_hours": 1.0}
    assert hours.seconds[2] < 60 + 12 * 2
    assert foretold(max_gpu_hours=0.01).ends == {"budget.max_gpu_hours": 1.0}
    epochs = foretold(max_total_epochs=100)
    assert (epochs.ends, epochs.epochs) == ({"budget.max_total_epochs": 1.0}, (100, 100, 100))
    assert foretold(most=3).ends == {"the space is exhausted": 1.0}
    assert foretold(most=3).epochs[1] == 81


def test_a_study_too_large_to_simulate_is_told_from_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raytune_nn.study.forecast.MOST_REPORTS", 10_000)
    large, small = foretold(trials=10_000), foretold(trials=100)
    assert large.epochs[1] == pytest.approx(100 * small.epochs[1])


def test_costs_follow_what_was_timed() -> None:
    import random

    timed = [Timing({"batch_size": size, "lr": 0.1}, 0.1, 64 / size, 1.0) for size in (8, 16, 32, 64)]
    costs, rng = EpochCosts(timed), random.Random(0)
    assert costs.of({"batch_size": 8, "lr": 0.1}, rng).epoch == 8
    between = [costs.of({"batch_size": size, "lr": 0.2}, rng).epoch for size in (10, 24, 50)]
    assert between == sorted(between, reverse=True)
    assert all(math.isfinite(epoch) for epoch in between)
