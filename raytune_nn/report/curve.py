"""A curve over a logarithmic axis, as plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence

MARGIN = 11  # columns of the labels at the left
HEIGHT = 16  # lines


def draw_curve(x: Sequence[float], y: Sequence[float], marks: Sequence[float], width: int, height: int = HEIGHT) -> str:
    """Draws y over x.

    Args:
        x: Positive, ascending, at least two.
        y: As many, finite.
        marks: Values of x at which a vertical line stands.
        width: Columns of the whole text; at least 30 are used.
        height: Lines of the curve, without its axis.
    """
    columns = max(30, width) - MARGIN
    left, right, bottom, top = math.log10(x[0]), math.log10(x[-1]), min(y), max(y)

    def column(value: float) -> int:
        return round((math.log10(value) - left) / (right - left) * (columns - 1))

    def row(value: float) -> int:
        return round((top - value) / ((top - bottom) or 1.0) * (height - 1))

    grid = [[" "] * columns for _ in range(height)]
    for mark in marks:
        for line in grid:
            line[column(mark)] = "│"
    for at, value in zip(x, y, strict=True):
        grid[row(value)][column(at)] = "•"
    labels = {0: f"{top:.4g}", height - 1: f"{bottom:.4g}"}
    lines = [f"{labels.get(index, ''):>{MARGIN - 2}} ┤{''.join(line)}".rstrip() for index, line in enumerate(grid)]
    ticks = {column(10.0**power): f"1e{power}" for power in range(math.ceil(left - 1e-9), math.floor(right + 1e-9) + 1)}
    return "\n".join([*lines, *_axis(ticks, columns)])


def _axis(ticks: dict[int, str], columns: int) -> list[str]:
    """The line below the curve and its labels, those that have room."""
    line = "".join("┬" if index in ticks else "─" for index in range(columns))
    labels = ""
    for index, label in ticks.items():
        start = max(0, min(index - len(label) // 2, columns - len(label)))
        if not labels or start > len(labels):
            labels = labels.ljust(start) + label
    return [" " * (MARGIN - 1) + "└" + line, " " * MARGIN + labels]
