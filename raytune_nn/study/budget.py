"""What ends a study before its last trial."""

from __future__ import annotations

import time

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import BudgetConfig
from raytune_nn.errors import ConfigError
from raytune_nn.store.record import StudyRecord


class Budget:
    """The limits of a study beside its number of trials.

    Args:
        gpus: GPUs that one trial holds, for ``max_gpu_hours``.
    """

    def __init__(self, config: BudgetConfig, objective: Objective, gpus: float) -> None:
        self._config, self._objective, self._gpus = config, objective, gpus

    def spent(self, record: StudyRecord) -> str:
        """Why the study must end now; empty while it may go on. Wall hours run on between events."""
        config = self._config
        if config.max_hours is not None and record.wall_until(time.time()) >= config.max_hours * 3600:
            return f"budget.max_hours={config.max_hours:g} is spent"
        if config.max_gpu_hours is not None and record.gpu_hours(self._gpus) >= config.max_gpu_hours:
            return f"budget.max_gpu_hours={config.max_gpu_hours:g} is spent"
        return ""

    def reaches_target(self, value: float) -> str:
        """Why a value ends the study; empty where it does not."""
        target = self._config.target
        if target is None or not self._objective.score(value) >= self._objective.score(target):
            return ""
        return f"budget.target={target:g} is reached: {value:.6g}"


def check_budget(config: BudgetConfig, objective: Objective) -> None:
    """Whether every limit can be kept.

    Raises:
        ConfigError: A limit that is not positive, or a target where there are several metrics.
    """
    if config.target is not None and objective.further:
        rule = "budget.target is a value of one metric; several have a front, which no value ends"
        raise ConfigError(rule, f"budget.target={config.target:g}", "budget.target=null")
    for key in ("num_trials", "max_epochs", "max_hours", "max_gpu_hours"):
        value = getattr(config, key)
        if value is not None and not value > 0:
            raise ConfigError(f"budget.{key} must be greater than 0", value, f"budget.{key}=1")
