"""What is optimised: how the metrics of a report become values, and which values are better.

One convention for all search code: a *score* is higher for better, whatever `objective.mode` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple, TypeGuard

from raytune_nn.config.schema import ObjectiveConfig, Take
from raytune_nn.errors import ConfigError

Values = tuple[float, ...]  # one number a metric, in the order of `objective.metric`
MODES = ("max", "min")


class Goal(NamedTuple):
    """A metric and its direction."""

    metric: str
    maximise: bool

    @property
    def mode(self) -> str:
        """As `objective.mode` says it."""
        return "max" if self.maximise else "min"


@dataclass(frozen=True)
class Objective:
    """One metric, its direction, and which report counts; or several metrics, of which the first leads.

    The leading metric says which of a trial's reports counts, and which trial of the Pareto front is the best.
    """

    metric: str
    maximise: bool
    take: Take
    folds: int | None = None  # trainings that a trial consists of, one a fold; null: one, on the plain split
    further: tuple[Goal, ...] = ()

    @cached_property
    def goals(self) -> tuple[Goal, ...]:
        """All metrics, the leading one first."""
        return (Goal(self.metric, self.maximise), *self.further)

    def values(self, metrics: Mapping[str, float]) -> Values | None:
        """The objective in a report; None where the module did not log all of it."""
        if not self.further:  # asked several times a report
            return (metrics[self.metric],) if self.metric in metrics else None
        logged = [metrics[goal.metric] for goal in self.goals if goal.metric in metrics]
        return tuple(logged) if len(logged) == len(self.goals) else None

    @property
    def std_name(self) -> str:
        """What the standard deviation over the folds is called among a report's metrics."""
        return f"{self.metric}_std"

    @property
    def of_fold(self) -> Objective:
        """The objective of one fold's training by itself."""
        return replace(self, folds=None)

    def score(self, value: float) -> float:
        """The value of the leading metric turned so that higher is better."""
        return value if self.maximise else -value

    def scores(self, values: Values) -> Values:
        """The same for all metrics."""
        return tuple(value if goal.maximise else -value for goal, value in zip(self.goals, values, strict=True))

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value of the leading metric beats another; everything beats None, NaN beats nothing."""
        if math.isnan(value):
            return False
        return than is None or self.score(value) > self.score(than)

    def replaces(self, values: Values, earlier: Values | None) -> bool:
        """Whether a report's values become the trial's, in place of an earlier report's.

        With folds a report is the mean of those done so far, so only the last one counts: the best one would be that of
        the luckiest few.
        """
        leading = None if earlier is None else earlier[0]
        return self.folds is not None or self.take is Take.last or self.better(values[0], leading)

    def dominates(self, values: Values, others: Values) -> bool:
        """Whether values are at least as good as others by every metric, and better by one (Pareto dominance)."""
        ours, theirs = self.scores(values), self.scores(others)
        return ours != theirs and all(our >= their for our, their in zip(ours, theirs, strict=True))

    def joins(self, values: Values, front: Iterable[Values]) -> bool:
        """Whether values belong on the Pareto front, which is these so far: none dominates them, and none is NaN.

        A front of one metric is its best trial alone, of equals the first.
        """
        if self.further:
            dominated = any(self.dominates(others, values) for others in front)
            return not dominated and not any(map(math.isnan, values))
        best = next((others[0] for others in front), None)
        return self.better(values[0], best)

    def not_finite(self, values: Values) -> str:
        """The first metric that is no finite number, in words."""
        pairs = zip(self.goals, values, strict=True)
        return next(f"{goal.metric} was {value}" for goal, value in pairs if not math.isfinite(value))

    def instead(self, missing: str, logged: Sequence[str]) -> str:
        """What to type where the module does not log a metric, but others."""
        if not logged:
            return "self.log(…) in validation_step"
        free = [name for name in logged if name not in dict(self.goals)]
        longer = [name for name in free if name.startswith(missing)]  # several loaders: val_acc/dataloader_idx_0
        nearest = longer or get_close_matches(missing, free, n=1) or free or [""]
        if not self.further:
            return f"objective.metric={nearest[0]}"
        other = {goal.metric: goal for goal in self.goals}
        other[missing] = Goal(nearest[0], other[missing].maximise)
        return overrides([goal for goal in other.values() if goal.metric])


def finite(values: Values | None) -> TypeGuard[Values]:
    """Whether every metric is there, and a number that can be compared."""
    return values is not None and all(map(math.isfinite, values))


def read_objective(config: ObjectiveConfig) -> Objective:
    """Checks ``objective`` and returns it.

    Raises:
        ConfigError: As ``read_goals``; or there is but one fold, or folds and several metrics.
    """
    first, *further = read_goals(config.metric, config.mode)
    if config.folds is not None and config.folds < 2:
        raise ConfigError(
            "objective.folds must be at least 2, or null for one training on the plain split",
            config.folds,
            "objective.folds=5",
        )
    if config.folds is not None and further:
        rule = "objective.folds takes the mean of one metric; with several, a trial is one training"
        raise ConfigError(rule, f"objective.folds={config.folds}", "objective.folds=null")
    return Objective(first.metric, first.maximise, config.take, config.folds, tuple(further))


def read_goals(metric: Any, mode: Any) -> list[Goal]:
    """Checks ``objective.metric`` and ``objective.mode``: a name and a mode, or as many of both in two lists.

    Raises:
        ConfigError: A metric is no name or comes twice, a mode is neither max nor min, or their numbers differ.
    """
    metrics, modes = _listed(metric), _listed(mode)
    if not metrics or not all(isinstance(name, str) and name for name in metrics):
        raise ConfigError(
            "objective.metric must be the name of a metric that the module logs, or a list of names",
            "null" if metric is None else metric,
            "objective.metric=val_acc" if mode in MODES else overrides([Goal("val_acc", True)]),
        )
    _check_modes(mode, modes, len(metrics))
    goals = [Goal(name, word == "max") for name, word in zip(metrics, modes, strict=True)]
    once = {goal.metric: goal for goal in reversed(goals)}
    if len(once) < len(goals):
        raise ConfigError("objective.metric must name each metric once", metric, overrides([*once.values()][::-1]))
    return goals


def overrides(goals: Sequence[Goal]) -> str:
    """What to type for these metrics."""
    if len(goals) == 1:
        return f"objective.metric={goals[0].metric} objective.mode={goals[0].mode}"
    metrics, modes = ",".join(goal.metric for goal in goals), ",".join(goal.mode for goal in goals)
    return f"'objective.metric=[{metrics}]' 'objective.mode=[{modes}]'"


def _listed(entry: Any) -> list[Any]:
    return entry if isinstance(entry, list) else [entry]


def _check_modes(mode: Any, modes: list[Any], count: int) -> None:
    if not modes or not all(word in MODES for word in modes):
        rule = "objective.mode must be max or min" + (", for each metric" if count > 1 else "")
    elif len(modes) != count:
        rule = "objective.mode must say max or min once for each entry of objective.metric"
    else:
        return
    known = ["min" if word == "min" else "max" for word in modes or ["max"]]
    wanted = [*known, *["min"] * count][:count]  # what comes second is a loss or a cost most often
    fix = f"objective.mode={wanted[0]}" if count == 1 else f"'objective.mode=[{','.join(wanted)}]'"
    raise ConfigError(rule, "null" if mode is None else mode, fix)
