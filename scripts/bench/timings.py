"""What the benches of time share: measured side by side, shown as one Markdown table."""

from __future__ import annotations

import statistics
from collections.abc import Callable

Ratio = Callable[[float, float], float]


def timings_table(title: str, columns: tuple[str, str, str], times: dict[str, list[float]], ratio: Ratio) -> str:
    """A row for each of what was timed: its times, and its ratios to the first one.

    Args:
        title: Stands above the table.
        columns: What was timed, the unit, and what the ratio is.
        times: By name, in the order of the repeats.
        ratio: Of a time of the first one and that of this one in the same repeat.
    """
    first = next(iter(times.values()))
    lines = [title, "", f"| {' | '.join(columns)} |", "|---|---|---|"]
    for name, values in times.items():
        ratios = [ratio(reference, value) for reference, value in zip(first, values, strict=True)]
        lines.append(f"| {name} | {spread(values, 1)} | {spread(ratios, 2)} |")
    return "\n".join(lines)


def spread(values: list[float], digits: int) -> str:
    """Median with the extremes."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
