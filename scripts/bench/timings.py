"""What the benches of time share: whole commands by the clock, and times side by side as one Markdown table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


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


def timings_table(title: str, columns: tuple[str, str, str], times: dict[str, list[float]]) -> str:
    """A row for each of what was timed: its times, and its ratios to the first one.

    Args:
        title: Stands above the table.
        columns: What was timed, the unit, and the ratio.
        times: By name, in the order of the repeats.
    """
    first = next(iter(times.values()))
    lines = [title, "", f"| {' | '.join(columns)} |", "|---|---|---|"]
    for name, values in times.items():
        ratios = [value / reference for reference, value in zip(first, values, strict=True)]
        lines.append(f"| {name} | {spread(values, 1)} | {spread(ratios, 2)} |")
    return "\n".join(lines)


def spread(values: list[float], digits: int) -> str:
    """Median with the extremes."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
