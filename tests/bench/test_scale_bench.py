"""The bench of scale: what it counts between which ends, by hand, and what its table marks."""

from __future__ import annotations

from typing import Any

import pytest
from benches import load

scale: Any = load("scale")


def waves(count: int, slots: int, seconds: float) -> Any:
    """Trials that end together, one a slot, after a start of 5 s; the driver needs 4 ms and 8 KB of each."""
    ends = [5 + seconds * (1 + number // slots) for number in range(count)]
    samples = [(end, 2 + 0.004 * (number + 1), 300 + 0.008 * (number + 1)) for number, end in enumerate(ends)]
    return scale.Measured(ends, samples[slots - 1 :: slots])


def test_the_first_tenth_is_out_and_waves_are_whole() -> None:
    figures = waves(count=1000, slots=4, seconds=1.25).figures(1.0, 4)
    assert figures == pytest.approx(
        {scale.EACH: 312.5, scale.TRAIN: 80.0, scale.TENTHS: 1.0, scale.CPU: 4.0, scale.MEMORY: 8.0}
    )


def test_a_later_tenth_that_is_slower_is_told() -> None:
    measured = waves(count=1000, slots=1, seconds=1.0)
    measured.ends[900:] = [measured.ends[899] + 1.5 * number for number in range(1, 101)]
    assert measured.figures(1.0, 1)[scale.TENTHS] == pytest.approx(1.5)


def test_few_trials_say_how_much_the_slots_train_and_no_more() -> None:
    assert waves(count=16, slots=2, seconds=10.1).figures(10.0, 2) == pytest.approx(
        {scale.EACH: 5050.0, scale.TRAIN: 99.0099}, abs=1e-3
    )


def test_what_misses_its_aim_is_marked_in_our_column_only() -> None:
    found = {"ray": [{scale.TRAIN: 50.0}], "ours": [{scale.TRAIN: 91.96, scale.CPU: 12.0, scale.REPORT: 3.5}]}
    assert scale.table(found, seconds=0.5, slots=2).splitlines() == [
        *("| | ray | ours | aim |", "|---|---|---|---|"),
        f"| {scale.TRAIN} | 50 | 91.96 **missed** | ≥ 92 |",
        f"| {scale.CPU} |  | 12 | ≤ 20 |",
        f"| {scale.REPORT} |  | 3.5 **missed** | ≤ 3 |",
    ]
    assert "≤ 66" in scale.table({"ours": [{scale.EACH: 65.0}]}, seconds=1.0, slots=16)
    assert "≤ 66" not in scale.table({"ours": [{scale.EACH: 65.0}]}, seconds=1.0, slots=2)


def test_the_median_of_several_runs_is_judged_and_the_extremes_stand_beside_it() -> None:
    runs = [{scale.RATIO: 0.4}, {scale.RATIO: 0.9}, {scale.RATIO: 0.5}]
    assert f"| {scale.RATIO} | 0.5 (0.4 to 0.9) | ≤ 0.6 |" in scale.table({"ours": runs}, seconds=1.0, slots=16)
    missed = f"| {scale.RATIO} | 0.7 (0.5 to 0.9) **missed** | ≤ 0.6 |"
    assert missed in scale.table({"ours": [*runs[1:], {scale.RATIO: 0.7}]}, seconds=1.0, slots=16)
