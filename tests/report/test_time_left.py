"""How long a study will still take: a number where what it did says so, else none."""

from __future__ import annotations

import pytest
from made_records import Told

from raytune_nn.report.time_left import Extent, in_words, seconds_left


def with_trials(*epochs: int, end: str | None = "stopped", told: Told | None = None) -> Told:
    """Trials of so many epochs of a second each."""
    told = told or Told()
    for count in epochs:
        told.add(*[0.5] * count, end=end)
    return told


def test_before_enough_has_ended_there_is_no_estimate() -> None:
    told = with_trials(3, 3)
    with_trials(2, end=None, told=told)
    assert seconds_left(told.record, Extent(16, 9, shortens=True), [2], ended=6) is None
    assert seconds_left(with_trials(2, end=None).record, Extent(16, 9), [2], ended=0) is None


def test_where_nothing_is_cut_short_it_is_the_epochs_that_are_left() -> None:
    told = with_trials(9, end="complete")
    with_trials(3, 4, end=None, told=told)
    left = seconds_left(told.record, Extent(4, 9), [3, 4], ended=9)
    assert left == pytest.approx((6 + 5 + 9) / 2)


def test_a_trial_that_failed_early_leaves_nothing_to_train() -> None:
    told = with_trials(1, end="failed")
    with_trials(3, end=None, told=told)
    assert seconds_left(told.record, Extent(2, 9), [3], ended=1) == pytest.approx(6)


def test_where_trials_are_cut_short_the_mean_of_those_says_what_one_takes() -> None:
    told = with_trials(1, 1, 1, 9)
    with_trials(1, end=None, told=told)
    left = seconds_left(told.record, Extent(10, 27, shortens=True), [1], ended=12)
    assert left == pytest.approx(5 * 3 + 2)


def test_the_hours_of_the_budget_are_a_bound() -> None:
    told = with_trials(9, end="complete")
    with_trials(3, end=None, told=told)
    told.open()
    told.tell("reported", trial="1", epoch=4, seconds=4.0, metrics={"val_acc": 0.5})
    extent = Extent(1000, 9, max_hours=10 / 3600)
    assert seconds_left(told.record, extent, [4], ended=9) == pytest.approx(10 - told.record.wall_seconds)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "5 s"), (43.0, "45 s"), (100.0, "2 min"), (3570.0, "1 h"), (8000.0, "2 h 10 min"), (86400.0, "24 h")],
)
def test_it_is_no_finer_than_it_can_be_known(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
