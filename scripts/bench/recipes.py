"""Every recipe on real data: whole studies with the experiments' defaults, their winners judged on test rows.

    .venv/bin/python scripts/bench/recipes.py [--only mnist] [--shared ../shared] [--cpus 2]

Prints a Markdown table. A study selects by its validation rows alone; the test rows are opened once, for its winner, in
plain PyTorch. Where the table says "5 splits", the rows are cut at random five times, each cut has a study of its own,
and the mean of the five winners' scores counts. Repeated are the test rows whose inputs some training row has as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import torch
import yaml
from timings import SHARED, judged, wall_seconds


@dataclass(frozen=True)
class Recipe:
    """A recipe, its files, and what it has to reach on the test rows."""

    measured: str  # accuracy or RMSE
    rows: str  # those that it is measured on
    target: float
    files: dict[str, str]  # key of the configuration -> path in the folder of data
    overrides: tuple[str, ...] = ()
    splits: int = 1

    def holds(self, reached: float) -> bool:
        """Whether this is good enough."""
        return reached >= self.target if self.measured == "accuracy" else reached <= self.target


@dataclass(frozen=True)
class Outcome:
    """What a study came to."""

    reached: float
    repeated: int  # test rows
    trials: int
    epochs: int
    seconds: float


RECIPES = {
    "mnist": Recipe(
        *("accuracy", "a fifth of 10,000 images", 0.97),
        {
            "data.images": "mnist/t10k-images-idx3-ubyte.gz",
            "data.labels": "mnist/t10k-labels-idx1-ubyte.gz",
        },
    ),
    "spoken_digits": Recipe("accuracy", "a fifth of 2,000 recordings", 0.95, {"data.path": "fsdd/recordings.zip"}),
    "trec": Recipe(
        *("accuracy", "its test file, 500 questions", 0.80),
        {"data.path": "trec/train.tsv", "data.test_path": "trec/test.tsv"},
    ),
    "sms_spam": Recipe("accuracy", "a fifth of 5,574 messages", 0.97, {"data.path": "sms_spam/sms.tsv"}),
    "adult": Recipe(
        *("accuracy", "its test file, 16,281 rows", 0.845),
        {"data.path": "adult/train.csv", "data.test_path": "adult/test.csv"},
        ("data.target=income",),
    ),
    "power_plant": Recipe(
        *("RMSE", "a tenth of 9,568 rows, 5 splits", 4.2),
        {"data.path": "uci/power-plant.csv"},
        ("data.target=target",),
        splits=5,
    ),
    "concrete": Recipe(
        *("RMSE", "a tenth of 1,030 rows, 5 splits", 6.0),
        {"data.path": "uci/concrete.csv"},
        ("data.target=target",),
        splits=5,
    ),
}


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=RECIPES, action="append")
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--cpus", type=int, default=2)
    options = parser.parse_args()
    outcomes: dict[str, list[Outcome]] = {}
    for name in options.only or RECIPES:
        for split in range(RECIPES[name].splits):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                outcome = study(name, split, options.shared.resolve() / "data", Path(folder), options.cpus)
            outcomes.setdefault(name, []).append(outcome)
            told = f"{name}, split {split}: {outcome.reached:.4f}, {outcome.epochs} epochs, {outcome.seconds:.0f} s"
            print(told, file=sys.stderr, flush=True)
    print(table(outcomes))


def study(name: str, split: int, data: Path, folder: Path, cpus: int) -> Outcome:
    """One whole command, and the score of its winner on the test rows."""
    recipe = RECIPES[name]
    command = [
        *(sys.executable, "-m", "raytune_nn", f"+experiment={name}", "+search=asha", f"cluster.cpus={cpus}"),
        *(f"{key}={data / path}" for key, path in recipe.files.items()),
        *(*recipe.overrides, f"data.split_seed={split}", f"study.storage={folder}", "study.name=bench"),
    ]
    seconds = wall_seconds(command)
    counts = json.loads((folder / "bench" / "summary.json").read_text())["counts"]
    reached, repeated = evaluate(folder / "bench" / "best", recipe)
    return Outcome(reached, repeated, counts["trials"], counts["epochs"], seconds)


def evaluate(best: Path, recipe: Recipe) -> tuple[float, int]:
    """The score of a study's winner on its test rows, and how many of these are repeated."""
    config: dict[str, Any] = yaml.safe_load((best / "config.yaml").read_text())
    data = hydra.utils.instantiate(config["data"])
    data.setup("fit")
    trained = {row.numpy().tobytes() for x, _ in data.train_dataloader() for row in x}
    data.setup("test")
    model = hydra.utils.instantiate(config["model"]).eval()
    model.load_state_dict(torch.load(best / "model.ckpt", weights_only=True)["state_dict"])
    with torch.no_grad():
        batches = [(x, model(x), y) for x, y in data.test_dataloader()]
    inputs, answers, targets = (torch.cat(part) for part in zip(*batches, strict=True))
    repeated = sum(row.numpy().tobytes() in trained for row in inputs)
    if recipe.measured == "accuracy":
        return (answers.argmax(1) == targets).double().mean().item(), repeated
    return (answers.squeeze(1) - targets).double().square().mean().sqrt().item(), repeated


def table(outcomes: dict[str, list[Outcome]]) -> str:
    """Scores and costs as Markdown; trials, epochs and seconds are those of all splits together."""
    lines = [
        "| recipe | measured | on | repeated | target | reached | trials | epochs | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in outcomes.items():
        recipe = RECIPES[name]
        reached = statistics.mean(outcome.reached for outcome in found)
        sign = "≥" if recipe.measured == "accuracy" else "≤"
        cells = [
            *(f"`{name}`", recipe.measured, recipe.rows, span([outcome.repeated for outcome in found])),
            f"{sign} {recipe.target:g}",
            judged(scores([outcome.reached for outcome in found]), recipe.holds(reached)),
            *(str(sum(outcome.trials for outcome in found)), str(sum(outcome.epochs for outcome in found))),
            f"{sum(outcome.seconds for outcome in found):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def span(counts: list[int]) -> str:
    """A count, or the least and the most of several."""
    return str(counts[0]) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def scores(values: list[float]) -> str:
    """The score, or the mean of several with the extremes."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
