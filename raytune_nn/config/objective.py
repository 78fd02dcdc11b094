"""What is optimised: how the metrics of a report become a value, and which value is better.

One convention for all search code: a *score* is higher for better, whatever `objective.mode` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from raytune_nn.config.schema import ObjectiveConfig, Take
from raytune_nn.errors import ConfigError


@dataclass(frozen=True)
class Objective:
    """One metric, its direction, and which report counts."""

    metric: str
    maximise: bool
    take: Take
    folds: int | None = None  # trainings that a trial consists of, one a fold; null: one, on the plain split

    def value(self, metrics: Mapping[str, float]) -> float | None:
        """The objective in a report; None where the module did not log it."""
        return metrics.get(self.metric)

    @property
    def std_name(self) -> str:
        """What the standard deviation over the folds is called among a report's metrics."""
        return f"{self.metric}_std"

    @property
    def of_fold(self) -> Objective:
        """The objective of one fold's training by itself."""
        return replace(self, folds=None)

    def score(self, value: float) -> float:
        """The value turned so that higher is better."""
        return value if self.maximise else -value

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value beats another; everything beats None, NaN beats nothing."""
        if math.isnan(value):
            return False
        return than is None or self.score(value) > self.score(than)

    def replaces(self, value: float, earlier: float | None) -> bool:
        """Whether a report's value becomes the trial's, in place of an earlier report's.

        With folds a report is the mean of those done so far, so only the last one counts: the best one would be that of
        the luckiest few.
        """
        return self.folds is not None or self.take is Take.last or self.better(value, earlier)


def read_objective(config: ObjectiveConfig) -> Objective:
    """Checks ``objective`` and returns it.

    Raises:
        ConfigError: The metric is no name, the mode neither max nor min, or there is but one fold.
    """
    if not isinstance(config.metric, str) or not config.metric:
        raise ConfigError(
            "objective.metric must be the name of one metric that the module logs",
            "null" if config.metric is None else config.metric,
            "objective.metric=val_acc",
        )
    if config.mode not in ("max", "min"):
        found = "null" if config.mode is None else config.mode
        raise ConfigError("objective.mode must be max or min", found, "objective.mode=max")
    if config.folds is not None and config.folds < 2:
        raise ConfigError(
            "objective.folds must be at least 2, or null for one training on the plain split",
            config.folds,
            "objective.folds=5",
        )
    return Objective(config.metric, config.mode == "max", config.take, config.folds)
