"""What the benches share: whole commands by the clock, times side by side as one Markdown table, and what is missed."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("RAYTUNE_NN_SHARED") or REPOSITORY.parent / "shared")  # data and recorded curves


def wall_seconds(command: list[str], **environment: str) -> float:
    """Of a command, run where the repository is; its output is shown only if it fails, which ends the bench.

    Args:
        environment: Variables that it finds besides those of this process.
    """
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
        capture_output=True,
        text=True,
    )
    took = time.monotonic() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return took


def timings_table(
    title: str, columns: tuple[str, str, str], times: dict[str, list[float]], aim: float | None = None
) -> str:
    """A row for each of what was timed: its times, and its ratios to the first one.

    Args:
        title: Stands above the table.
        columns: What was timed, the unit, and the ratio.
        times: By name, in the order of the repeats.
        aim: What the median ratio of the last one should be at most; None: there is no such aim, nor a column for it.
    """
    first = next(iter(times.values()))
    rows = [list(columns), ["---"] * len(columns)]
    for name, values in times.items():
        ratios = [value / reference for reference, value in zip(first, values, strict=True)]
        rows.append([name, spread(values, 1), spread(ratios, 2)])
    if aim is not None:
        rows[-1][-1] = judged(rows[-1][-1], statistics.median(ratios) <= aim)
        aims = ["aim", "---", *[""] * (len(times) - 1), f"≤ {aim:g}"]
        rows = [[*row, cell] for row, cell in zip(rows, aims, strict=True)]
    return "\n".join([title, "", *(f"| {' | '.join(row)} |" for row in rows)])


def judged(text: str, holds: bool) -> str:
    """What was measured, marked where it is not as good as its aim."""
    return text if holds else f"{text} **missed**"


def spread(values: list[float], digits: int) -> str:
    """Median with the extremes."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
