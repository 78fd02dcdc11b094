"""The bench of memory: what it says of the same slots over more rows, by hand."""

from __future__ import annotations

from typing import Any

from benches import load

bench: Any = load("memory")


def test_images_are_counted_apart_from_what_each_slot_has_of_its_own() -> None:
    few = {"Pss_Anon": 800.0, "Pss_File": 100.0, "Pss_Shmem": 0.0}  # MB
    shared = {"Pss_Anon": 800.0 + 8 * 40, "Pss_File": 100.0 + 784, "Pss_Shmem": 0.0}
    said = bench.more_rows(1_100_000, shared, 100_000, few, 8)
    assert "in memory 1.00 times (" in said
    assert "a row takes 40 bytes" in said


def test_images_in_memory_twice_miss_the_aim_wherever_they_are() -> None:
    few = {"Pss_Anon": 800.0, "Pss_File": 100.0, "Pss_Shmem": 0.0}
    twice = {"Pss_Anon": 800.0, "Pss_File": 100.0 + 784, "Pss_Shmem": 784.0}
    assert "2.00 times **missed**" in bench.more_rows(1_100_000, twice, 100_000, few, 8)
    copied = {"Pss_Anon": 800.0 + 8 * 784, "Pss_File": 100.0, "Pss_Shmem": 0.0}
    assert "a row takes 784 bytes" in bench.more_rows(1_100_000, copied, 100_000, few, 8)
