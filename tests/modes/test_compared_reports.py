"""Reports that differ from those that were recorded."""

from __future__ import annotations

import math

import pytest

from raytune_nn.modes.compared_reports import ComparedReports, relative_difference

RECORDED = [{"epoch": epoch, "metrics": {"loss": 1.0 / epoch, "acc": 0.5}} for epoch in (1, 2, 4)]


def test_equal_reports_are_taken_to_the_last() -> None:
    comparison = ComparedReports(RECORDED, 0.0)
    assert [comparison.hear(report["epoch"], report["metrics"]) for report in RECORDED] == [True, True, False]  # type: ignore[arg-type]
    assert (comparison.difference, comparison.found) == ("", "every metric equal to the last bit")


def test_the_first_report_that_differs_ends_it() -> None:
    comparison = ComparedReports(RECORDED, 0.0)
    assert comparison.hear(1, {"loss": 1.0, "acc": 0.5})
    assert not comparison.hear(2, {"loss": 0.5 + 2**-53, "acc": 0.25})
    assert comparison.difference == "epoch 2, report 2: loss was 0.5, is 0.5000000000000001 (+1.11e-16)"


@pytest.mark.parametrize(
    ("epoch", "metrics", "difference"),
    [
        (2, {"loss": 1.0, "acc": 0.5}, "epoch 1, report 1: epoch was 1, is 2"),
        (1, {"loss": 1.0}, "epoch 1, report 1: acc was 0.5, is not there"),
        (1, {"loss": 1.0, "acc": 0.5, "f1": 0.5}, "epoch 1, report 1: f1 was not there, is 0.5"),
        (1, {"loss": math.nan, "acc": 0.5}, "epoch 1, report 1: loss was 1.0, is nan (+nan)"),
    ],
)
def test_what_else_differs_is_no_matter_of_a_tolerance(epoch: int, metrics: dict[str, float], difference: str) -> None:
    comparison = ComparedReports(RECORDED, 0.5)
    assert not comparison.hear(epoch, metrics)
    assert comparison.difference == difference


def test_within_a_tolerance_the_largest_difference_is_told() -> None:
    comparison = ComparedReports(RECORDED, 0.01)
    assert comparison.hear(1, {"loss": 1.0, "acc": 0.5})
    assert comparison.hear(2, {"loss": 0.504, "acc": 0.501})
    assert comparison.found == "every metric within 0.01 of its value; loss of epoch 2 differs most, by 0.008"
    assert not comparison.hear(4, {"loss": 0.25, "acc": 0.506})
    assert comparison.difference.startswith("epoch 4, report 3: acc was 0.5, is 0.506 ")


def test_nan_is_as_nan_was_and_zero_has_no_share() -> None:
    assert relative_difference(math.nan, math.nan) == relative_difference(math.inf, math.inf) == 0.0
    assert relative_difference(-2.0, -1.0) == 0.5
    assert relative_difference(0.0, 1e-9) == relative_difference(math.inf, 1.0) == math.inf
