"""Patience against counts by hand."""

from __future__ import annotations

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.search.patience import Patience
from raytune_nn.search.scheduler import GO_ON, Decision


def first_stop(patience: Patience, scores: list[float], trial: str = "a") -> int | None:
    """The step of the first STOP, one report an epoch."""
    for step, score in enumerate(scores, 1):
        if patience.on_report(trial, step, score).decision is Decision.STOP:
            return step
    return None


@pytest.mark.parametrize(
    ("scores", "stop"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], None),
        ([0.5, 0.4, 0.45], 3),
        ([0.5, 0.5, 0.5], 3),  # the same is no better
        ([0.1, 0.0, 0.2, 0.1, 0.3, 0.2, 0.1], 7),  # each new best starts the count anew
        ([-5.0, -6.0, -4.0, -5.0, -4.5], 5),
    ],
)
def test_two_reports_without_a_better_score(scores: list[float], stop: int | None) -> None:
    assert first_stop(Patience(reports=2), scores) == stop


def test_reports_are_counted_not_epochs() -> None:
    patience = Patience(reports=2)
    assert [patience.on_report("a", step, 0.5) for step in (3, 6)] == [GO_ON, GO_ON]
    assert patience.on_report("a", 9, 0.4).words() == "stopped: nothing better since 0.5 at 3"


def test_trials_do_not_mind_each_other() -> None:
    patience = Patience(reports=2)
    assert first_stop(patience, [9.0, 8.0, 7.0], "good") == 3
    assert first_stop(patience, [0.1, 0.2, 0.3], "bad") is None


def test_repeated_reports_change_nothing() -> None:
    patience = Patience(reports=2)
    for step, score in ((1, 0.5), (2, 0.4)):
        assert [patience.on_report("a", step, again) for again in (score, 0.0, 9.0)] == [GO_ON] * 3
    stop = patience.on_report("a", 3, 0.45)
    assert stop.decision is Decision.STOP
    assert patience.on_report("a", 3, 9.0) == stop


@pytest.mark.parametrize("value", [0, 2.5, False, "3"])
def test_bad_arguments_are_refused_with_the_override_that_mends_them(value: object) -> None:
    with pytest.raises(ConfigError, match="reports must be an integer of at least 1") as caught:
        Patience(reports=value)  # type: ignore[arg-type]
    assert caught.value.fix == "search.scheduler.reports=5"
    assert f"reports={value!r}" in str(caught.value)


def test_the_plan_names_the_number() -> None:
    assert "after 4 reports" in Patience(4).describe()
