"""What is optimised: how the metrics of a report become a value, and which value is better.

One convention for all search code: a *score* is higher for better, whatever `objective.mode` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from raytune_nn.config.schema import ObjectiveConfig, Take
from raytune_nn.errors import ConfigError


@dataclass(frozen=True)
class Objective:
    """One metric, its direction, and which report counts."""

    metric: str
    maximise: bool
    take: Take

    def value(self, metrics: Mapping[str, float]) -> float | None:
        """The objective in a report; None where the module did not log it."""
        return metrics.get(self.metric)

    def score(self, value: float) -> float:
        """The value turned so that higher is better."""
        return value if self.maximise else -value

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value beats another; everything beats None, NaN beats nothing."""
        if math.isnan(value):
            return False
        return than is None or self.score(value) > self.score(than)


def read_objective(config: ObjectiveConfig) -> Objective:
    """Checks ``objective`` and returns it.

    Raises:
        ConfigError: The metric is no name or the mode neither max nor min.
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
    return Objective(config.metric, config.mode == "max", config.take)
