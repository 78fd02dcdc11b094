"""The table of the benches of time, worked out by hand."""

from __future__ import annotations

from typing import Any

from benches import load

timings: Any = load("timings")


def test_ratios_are_taken_pair_by_pair_to_the_first() -> None:
    times = {"hand": [10.0, 20.0, 40.0], "ours": [5.0, 20.0, 10.0]}
    table = timings.timings_table("three runs", ("what", "s", "ratio"), times)
    assert table.splitlines() == [
        *("three runs", "", "| what | s | ratio |", "| --- | --- | --- |"),
        "| hand | 20.0 (10.0 to 40.0) | 1.00 (1.00 to 1.00) |",
        "| ours | 10.0 (5.0 to 20.0) | 0.50 (0.25 to 1.00) |",
    ]
    aimed = timings.timings_table("three runs", ("what", "s", "ratio"), times, aim=0.5)
    assert aimed.splitlines()[2:] == [
        *("| what | s | ratio | aim |", "| --- | --- | --- | --- |"),
        "| hand | 20.0 (10.0 to 40.0) | 1.00 (1.00 to 1.00) |  |",
        "| ours | 10.0 (5.0 to 20.0) | 0.50 (0.25 to 1.00) | ≤ 0.5 |",
    ]


def test_a_median_above_its_aim_is_marked() -> None:
    aimed = timings.timings_table("two runs", ("what", "s", "ratio"), {"hand": [4.0, 4.0], "ours": [1.0, 3.0]}, aim=0.4)
    assert aimed.endswith("| ours | 2.0 (1.0 to 3.0) | 0.50 (0.25 to 0.75) **missed** | ≤ 0.4 |")
