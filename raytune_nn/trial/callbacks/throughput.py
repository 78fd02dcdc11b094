"""How fast a trial trains, as scalars."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from raytune_nn.trial.callbacks.scalars import log_scalars


class Throughput(Callback):
    """Logs ``throughput/batches_per_second`` and ``throughput/samples_per_second``, each the mean of an epoch.

    Counted are the batches of training, and the time from the epoch's begin to its last batch, less the validations in
    between; loading counts. Samples are the rows of all workers; where a batch holds no tensor there are none.
    """

    def __init__(self) -> None:
        self._begin = self._validating = 0.0  # seconds
        self._batches = self._rows = 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin, self._batches, self._rows = time.perf_counter(), 0, 0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validating = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin += time.perf_counter() - self._validating

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._batches += 1
        self._rows += _rows(batch)
        if not trainer.is_last_batch:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # steps were only begun
        seconds = time.perf_counter() - self._begin
        speeds = {"batches": self._batches, "samples": self._rows * trainer.world_size}
        log_scalars(trainer, {f"throughput/{what}_per_second": n / seconds for what, n in speeds.items() if n})


def _rows(batch: Any) -> int:
    """The length of the first tensor in a batch; 0 where there is none."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else 0
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    return next(filter(None, map(_rows, batch)), 0) if isinstance(batch, (list, tuple)) else 0
