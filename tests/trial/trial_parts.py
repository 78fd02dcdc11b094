"""Small parts that the trial's tests build, train and name by `_target_`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.trial.task import Report, StudyContext

ROWS, BATCH = 8, 2  # an epoch has four batches
ACCURACY = Objective("val_acc", maximise=True, take=Take.best)


class Part:
    """Remembers how it was called."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self.args, self.keywords = args, keywords


class Net(LightningModule):
    """One weight that learns to double its input; what it logs is scripted.

    Args:
        accuracy: ``val_acc`` of each validation, in order; the last stays.
        validation: Log in a validation; else all is logged in ``on_train_epoch_end``.
        width: Weights.
    """

    def __init__(self, accuracy: list[float] | None = None, validation: bool = True, width: int = 1) -> None:
        super().__init__()
        self.layer = nn.Linear(1, width)
        self.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.width, self.rates = width, list[float]()
        self._accuracy, self._validations = accuracy or [0.5], 0
        if not validation:
            self.validation_step = None  # type: ignore[assignment]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss: Tensor = (self.layer(x) - 2 * x).square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", self._accuracy[min(self._validations, len(self._accuracy) - 1)])

    def on_validation_epoch_end(self) -> None:
        self._validations += not self.trainer.sanity_checking

    def on_train_epoch_end(self) -> None:
        self.log("epochs", float(self.current_epoch + 1))
        optimizer = self.optimizers()
        assert isinstance(optimizer, torch.optim.Optimizer)
        self.rates.append(optimizer.param_groups[0]["lr"])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.125)


class TrainData(LightningDataModule):
    """Random rows; knows ``num_rows`` at once and ``num_columns`` once it is set up; starts no workers."""

    num_rows = ROWS

    def __init__(self, batch_size: int = BATCH, num_workers: int = 0) -> None:
        super().__init__()
        self.batch_size, self.calls = batch_size, list[str]()

    def prepare_data(self) -> None:
        self.calls.append("prepare_data")

    def setup(self, stage: str | None = None) -> None:
        self.calls.append(f"setup {stage}")
        self.num_columns = 1
        self.x = torch.randn(ROWS, 1)

    def train_dataloader(self) -> Any:
        return DataLoader(TensorDataset(self.x), batch_size=self.batch_size, shuffle=True)


class Data(TrainData):
    """With the same rows for validation."""

    def val_dataloader(self) -> Any:
        return DataLoader(TensorDataset(self.x), batch_size=self.batch_size)


def base_config(**changes: Any) -> dict[str, Any]:
    """A trial's configuration; ``changes`` replace whole groups."""
    groups: dict[str, Any] = {
        "seed": 3,
        "verbose": 1,
        "mode": "run",
        "resources": {"cpus": 1, "gpus": 0, "workers": 1},
        "study": {"name": "first", "storage": "studies", "resume": "must", "trial": "4"},
        "model": {"_target_": "trial_parts.Net"},
        "data": {"_target_": "trial_parts.Data"},
        "init": {"_target_": None},
        "model_weights": None,
        "model_weights_strict": True,
        "optimizer": {"_target_": None},
        "param_groups": {"decay_norms_and_biases": True, "layer_decay": 1.0},
        "callbacks": {},
        "lr_scheduler": {"scheduler": None},
        "trainer": {"_target_": "pytorch_lightning.Trainer", "max_epochs": 3, "accelerator": "cpu"},
        "search": {"searcher": {}, "scheduler": {}},
        "search_space": {},
    }
    return {**groups, **changes}


def quiet(**keywords: Any) -> dict[str, Any]:
    """Keywords of a Trainer that writes and prints nothing."""
    silent = ("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger")
    return {"accelerator": "cpu", "num_sanity_val_steps": 0, **dict.fromkeys(silent, False), **keywords}


def context(config: Mapping[str, Any], folder: Path, **changes: Any) -> StudyContext:
    """A study of this configuration, without branches; ``changes`` replace fields."""
    if folder.is_dir():
        (folder / "journal").mkdir(exist_ok=True)  # without it slots take the storage for gone
    fields: dict[str, Any] = {
        "config": dict(config),
        "branches": {},
        "objective": ACCURACY,
        "folder": str(folder),
        "waits_at": None,
    }
    return StudyContext(**{**fields, **changes})


class Reports(list[Report]):
    """Takes reports and answers; ``until`` is how many are wanted."""

    def __init__(self, until: int = 10**6) -> None:
        super().__init__()
        self._until = until

    def __call__(self, report: Report) -> bool:
        self.append(report)
        return len(self) < self._until

    def values(self, name: str) -> list[float]:
        return [report.metrics[name] for report in self]
