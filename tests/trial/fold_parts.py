"""Data with folds, and a module whose values are scripted fold by fold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from trial_parts import ACCURACY, ROWS, Data, Net, Reports, base_config, context

from raytune_nn.config.objective import Objective
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.task import TrialTask
from raytune_nn.trial.tensorboard import TrialLogger

THREE = replace(ACCURACY, folds=3)
VALUES = [[0.5, 0.75], [0.25, 0.5], [1.0, 0.5]]  # of each validation, fold by fold


class FoldData(Data):
    """Rows that the fold decides about."""

    def __init__(self, folds: int | None = None, fold: int = 0) -> None:
        super().__init__()
        self.folds, self.fold = folds, fold

    def setup(self, stage: str | None = None) -> None:
        self.x = torch.randn(ROWS, 1, generator=torch.Generator().manual_seed(self.fold))


class FoldNet(Net):
    """Leaves traces in its process after each training, and its losses depend on them.

    Args:
        values: ``val_acc`` of each validation, fold by fold; of the first fold, where the data have none.
        silent: A fold that logs no ``val_acc``.
        ends: Epoch after which each training ends by itself.
    """

    traces: ClassVar[list[float]] = []

    def __init__(self, values: list[list[float]], silent: int | None = None, ends: int | None = None) -> None:
        super().__init__()
        self._values, self._silent, self._ends = values, silent, ends

    def on_fit_start(self) -> None:
        self._fold: int = self.trainer.datamodule.fold  # type: ignore[attr-defined]
        self._accuracy = self._values[self._fold]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        if isinstance(self.logger, TrialLogger):
            self.logger.experiment.add_scalar("mine", float(self._fold), self.global_step)
        return super().training_step(batch, batch_idx) * (1 + sum(self.traces) + torch.rand(()))

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        if self._fold != self._silent:
            super().validation_step(batch, batch_idx)

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self.trainer.should_stop = self.current_epoch + 1 == self._ends

    def on_fit_end(self) -> None:
        self.traces.append(1.0)
        torch.manual_seed(99)
        np.random.seed(99)


def fold_config(values: list[list[float]], epochs: int, model: dict[str, Any], **trainer: Any) -> dict[str, Any]:
    """A trial that trains folds of so many epochs."""
    base = base_config()
    return base_config(
        model={"_target_": "fold_parts.FoldNet", "values": values, **model},
        data={"_target_": "fold_parts.FoldData", "folds": None, "fold": 0},
        objective={"metric": "val_acc", "mode": "max", "take": "best", "folds": len(values)},
        trainer={**base["trainer"], "max_epochs": epochs, "num_sanity_val_steps": 0, **trainer},
    )


def run(
    folder: Path,
    config: dict[str, Any],
    objective: Objective = ACCURACY,
    best: float | None = None,
    reports: Reports | None = None,
    **more: Any,
) -> Reports:
    """Trains trial 7 of a study in ``folder``; with ``more`` keywords of ``run_trial``."""
    reports = Reports() if reports is None else reports
    task = TrialTask("7", {}, front=() if best is None else ((best,),))
    isolation = Isolation(threads=1)
    run_trial(context(config, folder, objective=objective), task, isolation, reports, **more)
    isolation.restore(0)  # the next process starts as this one did
    return reports
