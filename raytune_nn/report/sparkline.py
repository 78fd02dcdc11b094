"""The course of a value in a few characters."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

MOST = 32  # points kept of a curve: more than any sparkline is wide
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-~^"  # where only ASCII can be shown


class Curve:
    """The values of one trial by epoch, thinned where they grow too many; a trial that goes back takes its own back."""

    def __init__(self) -> None:
        self._epochs, self._values = array("q"), array("d")
        self._every, self._count = 1, 0
        self._last: tuple[int, float] | None = None

    def add(self, epoch: int, value: float) -> None:
        """One more report; what is no number leaves no mark."""
        if not math.isfinite(value):
            return
        while self._epochs and self._epochs[-1] >= epoch:
            self._epochs.pop()
            self._values.pop()
        if self._count % self._every == 0:
            if len(self._epochs) == MOST:
                del self._epochs[1::2], self._values[1::2]
                self._every *= 2
            self._epochs.append(epoch)
            self._values.append(value)
        self._count += 1
        self._last = epoch, value

    def copy(self) -> Curve:
        """The same for a trial that goes on from this one's state."""
        other = Curve()
        other._epochs, other._values = self._epochs[:], self._values[:]
        other._every, other._count, other._last = self._every, self._count, self._last
        return other

    @property
    def values(self) -> list[float]:
        """Those that are kept, and the last one."""
        if self._last is None or (self._epochs and self._epochs[-1] == self._last[0]):
            return self._values.tolist()
        return [*self._values, self._last[1]]


def sparkline(values: Sequence[float], width: int, ascii_only: bool = False) -> str:
    """Draws values from the lowest to the highest of them; nothing of fewer than two, which have no course.

    Args:
        values: Finite.
        width: Characters at most, at least 2.
    """
    if len(values) < 2:
        return ""
    if len(values) > width:
        values = [values[round(place * (len(values) - 1) / (width - 1))] for place in range(width)]
    levels = PLAIN if ascii_only else BLOCKS
    low, high = min(values), max(values)
    if low == high:
        return levels[len(levels) // 2] * len(values)
    steps = len(levels) - 1
    return "".join(levels[round((value / 2 - low / 2) / (high / 2 - low / 2) * steps)] for value in values)
