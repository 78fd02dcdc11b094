"""Tables of real learning curves: each configuration's score after each epoch, in two file formats."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Curve:
    """What one configuration's training reports.

    Args:
        params: The configuration: numbers by name.
        scores: After each epoch, higher is better. One that diverged has those before the first that is not finite.
        diverged: Whether the epoch after the last score came to no number.
    """

    params: dict[str, float]
    scores: list[float]
    diverged: bool


@dataclass(frozen=True)
class Table:
    """All configurations of a task."""

    task: str
    curves: list[Curve]

    @property
    def max_epochs(self) -> int:
        """The longest training."""
        return max(len(curve.scores) for curve in self.curves)

    @property
    def best(self) -> frozenset[int]:
        """The configurations with the best 1% of final scores (rounded down, at least one; ties all belong)."""
        finals = sorted((curve.scores[-1] for curve in self.curves if not curve.diverged), reverse=True)
        cutoff = finals[max(1, len(self.curves) // 100) - 1]
        good = (i for i, curve in enumerate(self.curves) if not curve.diverged and curve.scores[-1] >= cutoff)
        return frozenset(good)


def load_tables(folder: Path, untrained: int = 1) -> list[Table]:
    """The tables under a folder, by name.

    ``*.json.gz`` (or unpacked) is TaskSet's: a list of ``{hp, valid: {loss}}``. Minus the validation loss is the score.
    The first point was taken before training: in all tasks its spread is the same for the smallest learning rates and
    for those that diverge at once. So it is no epoch, and 51 points are 50 epochs. ``*.jsonl`` has a line
    ``{<hyperparameters>, epochs, learning_curve: [{top_1}]}`` a configuration, a point an epoch.

    Args:
        folder: Where to look, at any depth.
        untrained: TaskSet's points before training.
    """
    files = sorted(path for path in folder.rglob("*") if ".json" in path.suffixes or ".jsonl" in path.suffixes)
    return [Table(path.name.split(".")[0], _curves(path, untrained)) for path in files]


def _curves(path: Path, untrained: int) -> list[Curve]:
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode()
    if ".jsonl" in path.suffixes:
        return [_by_line(json.loads(line)) for line in text.splitlines()]
    return [_curve(entry["hp"], [-loss for loss in entry["valid"]["loss"][untrained:]]) for entry in json.loads(text)]


def _by_line(entry: dict[str, Any]) -> Curve:
    about = {"iteration", "nan_train_loss", "learning_curve"}
    params = {name: value for name, value in entry.items() if name not in about}
    scores = [point["top_1"] for point in entry["learning_curve"]]
    missing = entry["epochs"] - len(scores)
    return _curve(params, [*scores, math.nan] if missing > 0 else scores)


def _curve(params: dict[str, float], scores: list[float]) -> Curve:
    end = next((i for i, score in enumerate(scores) if not math.isfinite(score)), None)
    return Curve(params, scores[:end], end is not None)
