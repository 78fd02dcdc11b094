"""Median stopping against medians worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.search.median import MedianStopping
from raytune_nn.search.scheduler import GO_ON, Decision


def told(median: MedianStopping, step: int, **scores: float) -> list[Decision]:
    return [median.on_report(trial, step, score).decision for trial, score in scores.items()]


def test_the_best_score_is_held_against_the_median_of_the_others_averages() -> None:
    median = MedianStopping(grace_period=2, min_trials=3)
    assert set(told(median, 1, a=0.0, b=0.2, c=0.4, d=0.3, e=0.1)) == {Decision.CONTINUE}, "still in grace"
    assert set(told(median, 2, a=0.4, b=0.6, c=0.8)) == {Decision.CONTINUE}, "fewer than three others"
    # Averages at epoch 2: a 0.2, b 0.4, c 0.6. The best of d is its first score, the best of e its second.
    assert median.on_report("d", 2, 0.0).words() == "stopped at epoch 2: best 0.3 < median 0.4"
    assert median.on_report("e", 2, 0.5) == GO_ON
    # d has the average 0.15 and e 0.3: the median of the five is 0.3, and a best that reaches it is good enough.
    assert told(median, 2, f=0.3, g=0.29) == [Decision.CONTINUE, Decision.STOP]


def test_the_median_of_an_even_number_lies_in_the_middle() -> None:
    median = MedianStopping(grace_period=1, min_trials=2)
    told(median, 1, a=0.0, b=1.0)
    assert median.on_report("c", 1, 0.5) == GO_ON
    median = MedianStopping(grace_period=1, min_trials=2)
    told(median, 1, a=0.0, b=1.0)
    assert median.on_report("c", 1, 0.49).words() == "stopped at epoch 1: best 0.49 < median 0.5"


def test_an_average_is_over_the_reports_that_came() -> None:
    median = MedianStopping(grace_period=1, min_trials=1)
    median.on_report("a", 2, 0.2)
    median.on_report("a", 4, 0.6)
    assert median.on_report("b", 4, 0.39).words().endswith("best 0.39 < median 0.4")
    assert median.on_report("c", 3, 0.0) == GO_ON, "nobody else reported at 3"


def test_repeated_reports_change_nothing() -> None:
    median = MedianStopping(grace_period=1, min_trials=2)
    told(median, 1, a=0.5, b=0.5)
    for _ in range(5):
        assert told(median, 1, a=-9.0, b=-9.0) == [Decision.CONTINUE] * 2
    first = median.on_report("c", 1, 0.4)
    assert first.decision is Decision.STOP
    assert [median.on_report("c", 1, score) for score in (0.4, 9.0)] == [first, first]


@pytest.mark.parametrize("arguments", [{"grace_period": 0}, {"min_trials": 1.5}, {"min_trials": True}])
def test_bad_arguments_are_refused_with_the_override_that_mends_them(arguments: dict[str, Any]) -> None:
    [(name, value)] = arguments.items()
    with pytest.raises(ConfigError, match=f"{name} must be an integer of at least 1") as caught:
        MedianStopping(**arguments)
    assert caught.value.fix == f"search.scheduler.{name}=3"
    assert f"{name}={value!r}" in str(caught.value)


def test_the_plan_names_the_grace() -> None:
    assert "from epoch 7 on" in MedianStopping(grace_period=7).describe()
