"""Compares the reports of a repeated training with those that were recorded, one after another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Metrics = Mapping[str, float]


class ComparedReports:
    """Ends at the first report that differs.

    Args:
        recorded: Reports with ``epoch`` and ``metrics``.
        tolerance: A metric may differ by this share of what it was; 0: by nothing, to the last bit.
    """

    def __init__(self, recorded: Sequence[Mapping[str, Any]], tolerance: float) -> None:
        self._recorded, self.tolerance = recorded, tolerance
        self.count = 0  # reports heard
        self.difference = ""  # the first, in words
        self.largest = 0.0  # share by which a metric differs, of those heard
        self.largest_in = ""  # which metric that was, and in which epoch

    @property
    def found(self) -> str:
        """What came of it, where nothing differs by more."""
        if not self.tolerance:
            return "every metric equal to the last bit"
        most = f"; {self.largest_in} differs most, by {self.largest:.2g}" if self.largest else ", all of them equal"
        return f"every metric within {self.tolerance:g} of its value{most}"

    def hear(self, epoch: int, metrics: Metrics) -> bool:
        """Takes a report; returns whether more are wanted."""
        before = self._recorded[self.count]
        self.count += 1
        differs = f"epoch was {before['epoch']}, is {epoch}" if epoch != before["epoch"] else ""
        for name in dict.fromkeys([*before["metrics"], *metrics]):
            old, new = before["metrics"].get(name), metrics.get(name)
            share = relative_difference(old, new)
            if share > self.largest:
                self.largest, self.largest_in = share, f"{name} of epoch {before['epoch']}"
            if share > self.tolerance:
                differs = differs or _in_words(name, old, new)
        if differs:
            self.difference = f"epoch {before['epoch']}, report {self.count}: {differs}"
        return not differs and self.count < len(self._recorded)


def relative_difference(old: float | None, new: float | None) -> float:
    """By which share of the old value the new one differs; NaN equals NaN, and nothing else does."""
    if old == new or (old is not None and new is not None and math.isnan(old) and math.isnan(new)):
        return 0.0
    if old is None or new is None or not old or not (math.isfinite(old) and math.isfinite(new)):
        return math.inf
    return abs(new - old) / abs(old)


def _in_words(name: str, old: float | None, new: float | None) -> str:
    if old is None:
        return f"{name} was not there, is {new!r}"
    if new is None:
        return f"{name} was {old!r}, is not there"
    return f"{name} was {old!r}, is {new!r} ({new - old:+.3g})"
