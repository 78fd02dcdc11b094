"""Population-based training from a bad start: what it gains on random search with the same start, trials and epochs.

    .venv/bin/python scripts/bench/pbt.py [--seeds 10] [--members 8] [--epochs 12] [--cpus 2] [--out pbt.csv]

Whole commands on the digits, with the default model and space. All trials begin at a learning rate of 1e-5; what else
is tuned is drawn by the seed, and is the same in both searches. Random search has to train on with that rate, the
population may leave it. For comparison, a third search draws its rates from the whole space, 1e-5 to 1e-1. Writes the
CSV and prints a Markdown table of the best validation accuracy, and of its paired difference to the first search, with
95% intervals by Student's t and by the bootstrap over seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from scipy.stats import t as student  # type: ignore[import-untyped]
from timings import wall_seconds

START = 1e-5
REFERENCE = "random search, same start"
WIDE = f"search_space.optimizer.lr.low={START:g}"


@dataclass(frozen=True)
class Row:
    """What one study came to."""

    seed: int
    method: str
    val_acc: float  # of its best trial
    epochs: int  # trained, all trials
    seconds: float


def main() -> None:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser()
    for name, default in (("seeds", 10), ("members", 8), ("epochs", 12), ("cpus", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path("pbt.csv"))
    options = parser.parse_args()
    rows = []
    with options.out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Row))
        for seed in range(options.seeds):
            for method, arguments in commands(options.members, options.epochs).items():
                rows.append(study(seed, method, [*arguments, f"cluster.cpus={options.cpus}"]))
                writer.writerow(astuple(rows[-1]))
                file.flush()
                print(*astuple(rows[-1]), sep=", ", file=sys.stderr, flush=True)
    print(table(rows))


def commands(members: int, epochs: int) -> dict[str, list[str]]:
    """What is compared; the first is what the others are measured against."""
    same = [WIDE, f"budget.num_trials={members}", f"budget.max_epochs={epochs}"]
    points = ", ".join([f"{{optimizer.lr: {START:g}}}"] * members)
    start = [*same, f"search.points=[{points}]"]
    return {
        REFERENCE: ["+search=random", *start],
        "`+search=pbt`, same start": ["+search=pbt", *start, "search.scheduler.interval=1"],
        "random search, rates from the whole space": ["+search=random", *same],
    }


def study(seed: int, method: str, arguments: list[str]) -> Row:
    """One whole command."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        place = [f"study.storage={folder}", "study.name=bench", f"seed={seed}"]
        command = [sys.executable, "-m", "raytune_nn", *arguments, *place]
        seconds = wall_seconds(command)
        summary = json.loads((Path(folder) / "bench" / "summary.json").read_text())
    return Row(seed, method, summary["best"]["value"], summary["counts"]["epochs"], seconds)


def table(rows: list[Row]) -> str:
    """Means over seeds as Markdown, and the differences seed by seed."""
    found: dict[str, dict[int, Row]] = {}
    for row in rows:
        found.setdefault(row.method, {})[row.seed] = row
    lines = [
        "| search | best val_acc, mean (least to most) | difference, 95% interval (t) | (bootstrap) | epochs a study |",
        "|---|---|---|---|---|",
    ]
    for method, by_seed in found.items():
        values = np.array([row.val_acc for row in by_seed.values()])
        epochs = np.mean([row.epochs for row in by_seed.values()])
        gains = values - [found[REFERENCE][seed].val_acc for seed in by_seed]
        cells = [method, f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})", *differences(gains)]
        lines.append(f"| {' | '.join(cells)} | {epochs:.0f} |")
    return "\n".join(lines)


def differences(gains: np.ndarray) -> tuple[str, str]:
    """The mean with its interval by Student's t, and the interval by the bootstrap; empty where all are zero."""
    if not gains.any():
        return "", ""
    (low, high), (least, most) = student_interval(gains), bootstrap_interval(gains)
    return f"{gains.mean():+.3f} ({low:+.3f} to {high:+.3f})", f"{least:+.3f} to {most:+.3f}"


def student_interval(gains: np.ndarray) -> tuple[float, float]:
    """95% for the mean of at least two normal differences."""
    half = student.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains))
    return float(gains.mean() - half), float(gains.mean() + half)


def bootstrap_interval(gains: np.ndarray) -> tuple[float, float]:
    """95% for the mean, by quantiles over 10,000 resamples of the seeds."""
    means = np.random.default_rng(0).choice(gains, (10_000, len(gains))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
