"""What the tests of the LightningModules share: a quiet Trainer, and what a training showed."""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from raytune_nn.data import ArrayLoader


class Seen(Callback):
    """The metrics as callbacks see them after each epoch, and the loss of each batch with its rows."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.batches: list[tuple[float, int]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append((float(outputs["loss"]), len(batch[0])))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def trainer(**options: Any) -> Trainer:
    """A Trainer that writes and prints nothing."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(accelerator="cpu", devices=1, enable_model_summary=False, **quiet | options)


def with_adam(module: LightningModule, lr: float = 0.0) -> LightningModule:
    """The module with an optimizer, which a study takes from its configuration; by default it changes nothing."""

    def configure_optimizers(self: LightningModule) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=lr)

    module.configure_optimizers = MethodType(configure_optimizers, module)  # type: ignore[method-assign]
    return module


def fit_on(rows: tuple[Tensor, ...], module: LightningModule, lr: float = 0.0, **options: Any) -> Seen:
    """Trains on rows and validates on the same, in batches of 16."""
    seen, loader = Seen(), ArrayLoader(*rows, batch_size=16)
    trainer(callbacks=[seen], num_sanity_val_steps=0, **options).fit(with_adam(module, lr), loader, loader)
    return seen


def evaluate_on(rows: tuple[Tensor, ...], module: LightningModule) -> dict[str, float]:
    """What a test logs, in batches of 16."""
    (result,) = trainer().test(module, ArrayLoader(*rows, batch_size=16), verbose=False)
    return dict(result)
