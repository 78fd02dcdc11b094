"""What ends a study before its last trial."""

from __future__ import annotations

import re
import time

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import BudgetConfig
from raytune_nn.errors import ConfigError
from raytune_nn.store.limits import limits
from raytune_nn.store.record import StudyRecord


class Budget:
    """The limits of a study beside its number of trials.

    Args:
        gpus: GPUs that one trial holds, with all its workers, for ``max_gpu_hours``.
    """

    def __init__(self, config: BudgetConfig, objective: Objective, gpus: float) -> None:
        self._config, self._objective, self._gpus = config, objective, gpus

    def spent(self, record: StudyRecord) -> str:
        """Why the study must end now; empty while it may go on. Wall hours run on between events."""
        found = limits(self._config, record, self._gpus, record.wall_until(time.time()))
        return next((f"{limit} is spent" for limit in found if limit.spent), "")

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
    for key in ("num_trials", "max_epochs", "max_hours", "max_gpu_hours", "max_total_epochs", "stagnation"):
        value = getattr(config, key)
        if value is not None and not value > 0:
            raise ConfigError(f"budget.{key} must be greater than 0", value, f"budget.{key}=1")


def is_spent(reason: str, config: BudgetConfig) -> bool:
    """Whether a study that ended for this reason ends for it still, under limits that may be others by now.

    Of those that ran out only the limit itself tells: what the end cut off has changed what was used since.
    """
    for key in ("max_hours", "max_total_epochs", "stagnation"):
        found = re.match(rf"budget\.{key}=(\S+) is spent", reason)
        if found is not None:
            limit = getattr(config, key)
            return limit is not None and float(f"{limit:g}") <= float(found[1])
    return bool(reason)
