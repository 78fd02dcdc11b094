"""The course of a value in a few characters."""

from __future__ import annotations

import math

import pytest

from raytune_nn.report.sparkline import BLOCKS, MOST, PLAIN, Curve, sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0.5], ""),
        ([0.5, 0.5], "▅▅"),
        ([0.0, 1.0], "▁█"),
        ([1.0, 0.0], "█▁"),
        ([0.0, 0.5, 1.0], "▁▅█"),
        ([-1e308, 0.0, 1e308], "▁▅█"),
    ],
)
def test_a_value_is_as_high_as_it_is_among_the_others(values: list[float], drawn: str) -> None:
    assert sparkline(values, 12) == drawn


def test_many_values_are_thinned_to_the_width_with_the_first_and_the_last() -> None:
    assert sparkline([0.0, *[0.5] * 50, 1.0], 6) == "▁▅▅▅▅█"


def test_ascii_alone() -> None:
    drawn = sparkline([0.0, 0.25, 0.5, 0.75, 1.0], 5, ascii_only=True)
    assert drawn == PLAIN
    assert drawn.isascii()
    assert not BLOCKS.isascii()


def test_a_curve_keeps_few_points_and_always_the_last() -> None:
    curve = Curve()
    for epoch in range(1, 1001):
        curve.add(epoch, float(epoch))
        assert curve.values[-1] == epoch
        assert len(curve.values) <= MOST + 1
    assert curve.values[0] == 1.0
    assert curve.values == sorted(curve.values)


def test_a_trial_that_goes_back_takes_its_reports_back() -> None:
    curve = Curve()
    for epoch, value in [(1, 0.1), (2, 0.2), (3, 0.3), (2, 0.5)]:
        curve.add(epoch, value)
    assert curve.values == [0.1, 0.5]


def test_what_is_no_number_leaves_no_mark() -> None:
    curve = Curve()
    for epoch, value in enumerate([0.1, math.nan, math.inf, 0.2], start=1):
        curve.add(epoch, value)
    assert curve.values == [0.1, 0.2]


def test_a_copy_goes_its_own_way() -> None:
    curve = Curve()
    curve.add(1, 0.1)
    other = curve.copy()
    other.add(2, 0.2)
    assert (curve.values, other.values) == ([0.1], [0.1, 0.2])
