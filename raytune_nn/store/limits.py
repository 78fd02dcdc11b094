"""What a study may use, and what it has used of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raytune_nn.config.schema import BudgetConfig
from raytune_nn.store.record import StudyRecord


@dataclass(frozen=True)
class Limit:
    """One that is set.

    Args:
        key: In ``budget``.
        most: In the unit of this key.
        used: So far, in the same unit.
    """

    key: str
    most: float
    used: float

    @property
    def spent(self) -> bool:
        return self.used >= self.most

    @property
    def share(self) -> float:
        """Used, of what may be."""
        return self.used / self.most

    def __str__(self) -> str:
        return f"budget.{self.key}={self.most:g}"


def limits(config: BudgetConfig, record: StudyRecord, gpus: float, wall_seconds: float) -> Iterator[Limit]:
    """Those that are set, beside the number of trials and the target.

    Args:
        gpus: That a trial holds, with all its workers.
        wall_seconds: That drivers have run the study.
    """
    if config.max_hours is not None:
        yield Limit("max_hours", config.max_hours, wall_seconds / 3600)
    if config.max_gpu_hours is not None:
        yield Limit("max_gpu_hours", config.max_gpu_hours, record.gpu_hours(gpus))
    if config.max_total_epochs is not None:
        yield Limit("max_total_epochs", config.max_total_epochs, record.epochs)
    if config.stagnation is not None:
        yield Limit("stagnation", config.stagnation, record.stagnation.trials)
