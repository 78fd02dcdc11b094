"""What the rules look at: the losses and the score of a trial, found among whatever its module logs."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from raytune_nn.report.doctor.history import PROBE, History

TRAINING = frozenset({"train", "training", "tr"})
VALIDATION = frozenset({"val", "valid", "validation", "dev", "eval"})
LOSSES = frozenset({"loss", "nll", "ce", "xent", "bce", "mse", "rmse", "mae", "error", "err", "perplexity", "ppl",
                    "elbo", "wer", "cer"})  # fmt: skip
SCORES = frozenset({"acc", "accuracy", "f1", "auc", "auroc", "precision", "recall", "iou", "dice", "map"})
ACCURACIES = frozenset({"acc", "accuracy"})
_NO_PART = frozenset({"", "epoch", "step", "dataloader", "idx", "0"})

Curve = tuple[float, ...]


@dataclass(frozen=True)
class Signals:
    """A history and its curves, lower for better; None where the module logs no such thing."""

    history: History

    @cached_property
    def named(self) -> Mapping[tuple[bool, frozenset[str]], str]:
        """Metric by what it is of (whether of training) and what it measures."""
        found: dict[tuple[bool, frozenset[str]], str] = {}
        for name in self.history.series:
            words = _words(name) - _NO_PART
            if not name.startswith(PROBE) and bool(words & TRAINING) != bool(words & VALIDATION):
                found.setdefault((bool(words & TRAINING), words - TRAINING - VALIDATION), name)
        return found

    @cached_property
    def pair(self) -> tuple[Curve, Curve] | None:
        """The loss in training and in validation; else the errors, 1 - accuracy; reports that have both."""
        of_both = [measure for training, measure in self.named if training and (False, measure) in self.named]
        for known in (LOSSES, ACCURACIES):
            for measure in sorted(of_both, key=len):
                if measure & known:
                    curves = [self._falling(self.named[training, measure], measure) for training in (True, False)]
                    return curves[0], curves[1]
        return None

    @cached_property
    def training(self) -> Curve | None:
        """The loss in training, else its error."""
        return self.pair[0] if self.pair else self._any(True)

    @cached_property
    def validation(self) -> Curve | None:
        """The same in validation, else the objective."""
        curve = self.pair[1] if self.pair else self._any(False)
        if curve is None and self.history.curve:
            goal = self.history.objective
            curve = tuple(-goal.score(value) for value in self.history.curve)
        return curve

    @cached_property
    def score(self) -> Curve | None:
        """A metric between 0 and 1 of the validation, higher for better; the objective's before others."""
        names = [self.history.objective.metric, *(name for (training, _), name in self.named.items() if not training)]
        for name in names:
            if name in self.history.series and _words(name) & SCORES:
                return self.history.series[name]
        return None

    @cached_property
    def accuracy(self) -> Curve | None:
        """The accuracy in validation."""
        names = [name for (training, words), name in self.named.items() if not training and words & ACCURACIES]
        return self.history.series[names[0]] if names else None

    def probes(self, what: str) -> list[Curve]:
        """A probe of each group of layers, the first nearest to the input."""
        series, prefix = self.history.series, f"{PROBE}{what}/"
        groups = [name[len(prefix) :] for name in series if name.startswith(prefix)]
        return [series[f"{prefix}{group}"] for group in sorted(filter(str.isdecimal, groups), key=int)]

    def _any(self, training: bool) -> Curve | None:
        for known in (LOSSES, ACCURACIES):
            for (of_training, measure), name in self.named.items():
                if of_training is training and measure & known:
                    return self._falling(name, measure)
        return None

    def _falling(self, name: str, measure: frozenset[str]) -> Curve:
        curve = self.history.series[name]
        return curve if measure & LOSSES else tuple(1 - value for value in curve)


@lru_cache(1024)  # all trials of a study have the same names
def _words(name: str) -> frozenset[str]:
    return frozenset(re.split(r"[/_.\s-]+", name.lower()))


def finite(values: Iterable[float]) -> list[float]:
    """Those that are numbers."""
    return list(filter(math.isfinite, values))


def middle(values: Sequence[float]) -> float:
    """The median of those that are finite; NaN of none."""
    known = finite(values)
    return statistics.median(known) if known else math.nan


def smooth(curve: Sequence[float]) -> list[float]:
    """Each value's median with its two neighbours."""
    if len(curve) > 2 and all(map(math.isfinite, curve)):
        import numpy as np  # long curves are many; not at every start

        before, here, after = (np.asarray(curve[start : len(curve) - 2 + start]) for start in range(3))
        inner = np.maximum(np.minimum(before, here), np.minimum(np.maximum(before, here), after)).tolist()
        return [(curve[0] + curve[1]) / 2, *inner, (curve[-2] + curve[-1]) / 2]
    return [middle(curve[max(0, place - 1) : place + 2]) for place in range(len(curve))]


def number(value: float) -> str:
    """As a person reads it."""
    return f"{value:.3g}"
