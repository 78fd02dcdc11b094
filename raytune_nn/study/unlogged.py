"""A name that the study needs and the user's module does not log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import Objective
from raytune_nn.errors import ConfigError


@dataclass(frozen=True)
class Unlogged:
    """The name, and the error that it is where no trial logs it."""

    name: str
    error: ConfigError

    @classmethod
    def metric(cls, objective: Objective, logged: Mapping[str, float]) -> Unlogged:
        """The first metric of the objective that is missing."""
        name = next(goal.metric for goal in objective.goals if goal.metric not in logged)
        rule = "objective.metric must be logged by the module (self.log) in training or validation"
        return cls(name, _error(rule, name, logged, objective.instead(name, sorted(logged))))

    @classmethod
    def fidelity(cls, fidelity: Fidelity, logged: Mapping[str, float]) -> Unlogged:
        """What the scheduler was to count."""
        rule = "search.fidelity must be epoch, step or a metric that the module logs (self.log)"
        return cls(fidelity.name, _error(rule, fidelity.name, logged, "search.fidelity=step"))

    def __str__(self) -> str:
        return f"{self.name} is not logged"


def _error(rule: str, name: str, logged: Mapping[str, float], fix: str) -> ConfigError:
    known = ", ".join(sorted(logged)) or "nothing at all"
    return ConfigError(rule, f"{name}; the module logs {known}", fix)
