"""What a plan foretells beside what the study then takes: five recipes, five budgets each, whole commands by the clock.

    .venv/bin/python scripts/bench/forecast.py [--recipes digits concrete] [--shared ../shared] [--cpus 2]
        [--partial forecast.json]

Prints a Markdown table. With --partial, what was measured is kept in that file, what it has already is not measured
again, and the table is of all that it has.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from timings import REPOSITORY, SHARED, judged, wall_seconds

COVERED, ERROR = 0.8, 0.25  # of all studies at least; of the median at most
HOURS = re.compile(r"^hours +([\d.]+) to ([\d.]+), ([\d.]+) in", re.MULTILINE)
EPOCHS = re.compile(r"^epochs .* about (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """What is typed for it, and for each of its budgets."""

    typed: tuple[str, ...]
    files: dict[str, str]
    budgets: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Outcome:
    """Seconds that were foretold and those that a study took, and its epochs."""

    low: float
    middle: float
    high: float
    took: float
    epochs_said: int
    epochs: int

    @property
    def holds(self) -> bool:
        """Whether the interval has it."""
        return self.low <= self.took <= self.high

    @property
    def error(self) -> float:
        """Of the median, as a share of what it took."""
        return abs(self.middle / self.took - 1)


def budgets(few: int, some: int, epochs: int) -> dict[str, tuple[str, ...]]:
    """Two of random search, two of ASHA, and a long one of ASHA, of which the start is a small part.

    Args:
        few: Trials of random search.
        some: Trials of the smaller one of ASHA.
        epochs: Of a trial.
    """
    third = max(1, epochs // 3)
    return {
        f"random, {few} x {epochs}": ("+search=random", f"budget.num_trials={few}", f"budget.max_epochs={epochs}"),
        f"random, {2 * few} x {third}": (
            *("+search=random", f"budget.num_trials={2 * few}", f"budget.max_epochs={third}"),
        ),
        f"asha, {some} x {epochs}": ("+search=asha", f"budget.num_trials={some}", f"budget.max_epochs={epochs}"),
        f"asha, {2 * some} x {epochs}": (
            *("+search=asha", f"budget.num_trials={2 * some}", f"budget.max_epochs={epochs}"),
        ),
        f"asha, {8 * some} x {epochs}": (
            *("+search=asha", f"budget.num_trials={8 * some}", f"budget.max_epochs={epochs}"),
        ),
    }


RECIPES = {
    "digits": Recipe((), {}, budgets(8, 16, 27)),
    "digits_cnn": Recipe(("+experiment=digits_cnn",), {}, budgets(6, 16, 9)),
    "concrete": Recipe(
        ("+experiment=concrete", "data.target=target"), {"data.path": "uci/concrete.csv"}, budgets(6, 16, 27)
    ),
    "power_plant": Recipe(
        ("+experiment=power_plant", "data.target=target"), {"data.path": "uci/power-plant.csv"}, budgets(6, 12, 9)
    ),
    "trec": Recipe(
        ("+experiment=trec",), {"data.path": "trec/train.tsv", "data.test_path": "trec/test.tsv"}, budgets(4, 9, 3)
    ),
}


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipes", choices=RECIPES, nargs="+", default=list(RECIPES))
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--partial", type=Path)
    options = parser.parse_args()
    outcomes = _read(options.partial)
    for name in options.recipes:
        for budget in RECIPES[name].budgets:
            if f"{name}: {budget}" in outcomes:
                continue
            outcome = measure(RECIPES[name], budget, options.shared.resolve() / "data", options.cpus)
            outcomes[f"{name}: {budget}"] = outcome
            print(f"{name}, {budget}: {outcome}", file=sys.stderr, flush=True)
            if options.partial:
                kept = {key: asdict(value) for key, value in outcomes.items()}
                options.partial.write_text(json.dumps(kept, indent=1))
    print(table(outcomes))


def _read(partial: Path | None) -> dict[str, Outcome]:
    if partial is None or not partial.exists():
        return {}
    return {key: Outcome(**value) for key, value in json.loads(partial.read_text()).items()}


def measure(recipe: Recipe, budget: str, data: Path, cpus: int) -> Outcome:
    """The plan, and then the study."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [
            *(sys.executable, "-m", "raytune_nn", *recipe.typed, *recipe.budgets[budget], f"cluster.cpus={cpus}"),
            *(f"{key}={data / path}" for key, path in recipe.files.items()),
            *(f"study.storage={folder}", "study.name=bench"),
        ]
        said = subprocess.run([*command, "mode=plan"], cwd=REPOSITORY, capture_output=True, text=True)
        hours, epochs = HOURS.search(said.stdout), EPOCHS.search(said.stdout)
        if hours is None or epochs is None:
            sys.exit(f"{' '.join(command)}\n{said.stdout}\n{said.stderr}")
        time.sleep(1)
        took = wall_seconds(command)
        counts = json.loads((Path(folder) / "bench" / "summary.json").read_text())["counts"]
    low, high, middle = (3600 * float(figure) for figure in hours.groups())
    return Outcome(low, middle, high, took, int(epochs[1]), counts["epochs"])


def table(outcomes: dict[str, Outcome]) -> str:
    """A row a study, and what it comes to."""
    rows = [
        f"| {name.replace(': ', ' | ')} | {o.middle:.0f} ({o.low:.0f} to {o.high:.0f}) | {o.took:.0f} | "
        f"{'yes' if o.holds else '**no**'} | {100 * o.error:.0f}% | {o.epochs_said} | {o.epochs} |"
        for name, o in outcomes.items()
    ]
    inside = sum(outcome.holds for outcome in outcomes.values())
    error = statistics.median(outcome.error for outcome in outcomes.values())
    totals = [
        f"Inside the interval: {judged(f'{inside} of {len(outcomes)}', inside >= COVERED * len(outcomes))}, aim at "
        f"least {COVERED:.0%}.",
        f"Median error of the median: {judged(f'{100 * error:.0f}%', error <= ERROR)}, aim at most {ERROR:.0%}.",
    ]
    head = "| recipe | budget | seconds foretold (80%) | taken | inside | error | epochs foretold | trained |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows, "", *totals])


if __name__ == "__main__":
    main()
