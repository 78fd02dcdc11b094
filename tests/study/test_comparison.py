"""Configurations on the same seeds: intervals, corrected tests, who is tied, and which one is recommended."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from raytune_nn.study.comparison import Measured, compare, holm, interval, paired_p, std_error

FIRST = (0.95, 0.96, 0.94, 0.955, 0.945)


def measured(trial: str, values: tuple[float | None, ...], parameters: int = 100, epochs: float = 1.0) -> Measured:
    return Measured(trial, values, parameters, epochs, 1.0)


def shifted(by: float, wobble: float = 0.001) -> tuple[float, ...]:
    return tuple(value + by + wobble * (-1) ** place for place, value in enumerate(FIRST))


def test_the_interval_is_scipys() -> None:
    low, high = interval(np.array(FIRST), 0.9)
    expected = stats.t.interval(0.9, 4, loc=np.mean(FIRST), scale=stats.sem(FIRST))
    assert (low, high) == pytest.approx(expected, rel=1e-12)


def test_the_paired_test_is_scipys() -> None:
    other = shifted(-0.002, 0.004)
    assert paired_p(FIRST, other) == pytest.approx(stats.ttest_rel(FIRST, other).pvalue, rel=1e-9)
    assert paired_p(other, FIRST) == paired_p(FIRST, other)


def test_splits_that_are_drawn_anew_widen_both() -> None:
    spread = float(np.std(FIRST, ddof=1))
    assert std_error(np.array(FIRST), 0.25) == pytest.approx(spread * (1 / 5 + 0.25) ** 0.5)
    assert paired_p(FIRST, shifted(-0.002, 0.004), 0.25) > paired_p(FIRST, shifted(-0.002, 0.004))


def test_what_is_equal_everywhere_is_a_point_and_no_difference() -> None:
    assert interval(np.array([0.1 + 0.2, 0.3, 0.3]), 0.95) == pytest.approx((0.3, 0.3), abs=1e-15)
    assert paired_p((0.9, 0.8, 0.7), (0.9, 0.8, 0.7)) == 1.0
    assert paired_p((0.0, 0.0), (0.0, 0.0)) == 1.0


def test_differences_that_are_all_the_same_are_no_proof_with_few_seeds() -> None:
    assert paired_p((0.9, 0.8, 0.7), (0.8, 0.7, 0.6)) == 0.25
    assert paired_p(tuple(x / 10 for x in range(10)), tuple(x / 10 - 0.1 for x in range(10))) == pytest.approx(2**-9)


def test_only_seeds_that_both_have_are_compared() -> None:
    assert paired_p((0.9, None, 0.8, 0.85), (0.7, 0.1, 0.75, None)) == paired_p((0.9, 0.8), (0.7, 0.75))
    assert paired_p((0.9, None), (None, 0.8)) == 1.0


def test_holm_is_that_of_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_is_at_least_p_at_most_bonferroni_and_keeps_the_order() -> None:
    rng = random.Random(0)
    for _ in range(200):
        ps = [rng.random() ** 3 for _ in range(rng.randint(1, 8))]
        adjusted = holm(ps)
        assert all(p <= a <= min(1.0, len(ps) * p) for p, a in zip(ps, adjusted, strict=True))
        assert [a for _, a in sorted(zip(ps, adjusted, strict=True))] == sorted(adjusted)


def test_a_clear_difference_is_told_and_a_small_one_is_not() -> None:
    entries = [measured("a", shifted(-0.2, 0.003)), measured("b", FIRST), measured("c", shifted(0.0))]
    compared = compare(entries, 0.95, True)
    assert [each.trial for each in compared.standings][-1] == "a"
    assert set(compared.tied) == {"b", "c"}
    assert {each.trial: each.p is None for each in compared.standings}[compared.best]


def test_lower_is_better_where_the_metric_is_a_loss() -> None:
    compared = compare([measured("a", shifted(-0.2)), measured("b", FIRST)], 0.95, maximise=False)
    assert (compared.best, compared.tied) == ("a", ["a"])


def test_the_simplest_within_a_standard_error_is_recommended() -> None:
    near, far = shifted(-0.001, 0.02), shifted(-0.01, 0.03)
    assert np.mean(FIRST) - np.mean(near) < std_error(np.array(FIRST)) < np.mean(FIRST) - np.mean(far)
    entries = [measured("best", FIRST, 300), measured("near", near, 200), measured("far", far, 100)]
    compared = compare(entries, 0.95, True)
    assert set(compared.tied) == {"best", "near", "far"}
    assert compared.recommended == "near"


def test_of_the_same_size_the_shorter_one_is_recommended() -> None:
    entries = [measured("long", FIRST, epochs=9), measured("short", FIRST, epochs=3)]
    assert compare(entries, 0.95, True).recommended == "short"


def test_one_of_which_a_seed_failed_takes_no_part_while_another_is_whole() -> None:
    entries = [measured("holed", (0.99, None, 0.99)), measured("whole", (0.9, 0.91, 0.92))]
    compared = compare(entries, 0.95, True)
    assert (compared.best, compared.recommended, compared.tied) == ("whole", "whole", ["whole"])
    holed = compared.standings[0]
    assert (holed.trial, holed.mean, holed.p) == ("holed", 0.99, None)


def test_where_none_is_whole_those_with_two_values_are_compared() -> None:
    entries = [measured("a", (0.9, None, 0.8)), measured("b", (None, None, 0.99)), measured("c", (None, None, None))]
    compared = compare(entries, 0.95, True)
    assert compared.recommended == "a"
    assert [(each.trial, each.low is None) for each in compared.standings] == [("b", True), ("a", False), ("c", True)]
    with pytest.raises(ValueError, match="two values"):
        compare(entries[1:], 0.95, True)


def test_a_single_configuration_has_an_interval_and_no_test() -> None:
    compared = compare([measured("a", FIRST)], 0.95, True)
    assert (compared.recommended, compared.standings[0].p, compared.tied) == ("a", None, ["a"])


def test_among_equal_ones_a_difference_is_seldom_claimed() -> None:
    """The best is chosen by the same values, which a correction for fewer pairs would not allow for."""
    rng = np.random.default_rng(0)
    told = 0
    for _ in range(400):
        values = rng.normal(size=(5, 5))
        compared = compare([measured(str(at), tuple(map(float, row))) for at, row in enumerate(values)], 0.95, True)
        told += len(compared.tied) < 5
    assert told / 400 < 0.07
