"""A user's module and data for trials that do as they are told; imported in the slots."""

from __future__ import annotations

import math
import os
import threading
import time
from pathlib import Path

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class Scripted(LightningModule):
    """Logs ``val_acc = value + epoch / 1000`` and does what ``does`` says in its second epoch.

    Args:
        value: Also names the trial in the notes.
        does: ``train``; ``raise``, ``exit`` or ``die`` (the process), ``…_once`` in the first attempt only;
            ``crowd``: run out of memory, unless it has a GPU to itself; ``outgrow``: there as well;
            ``diverge``; ``unwell``: diverge, and die after the training; ``silent``: log something else; ``slow``: a
            second an epoch.
        notes: Folder for ``<value>``, a line an attempt with the process's id.
    """

    def __init__(self, value: float, does: str, notes: str) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.value, self.does = value, does
        note = Path(notes) / str(value)
        self.attempt = len(note.read_text().splitlines()) + 1 if note.exists() else 1
        with note.open("a") as file:
            file.write(f"{os.getpid()}\n")

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        does, _, once = self.does.partition("_")
        if self.current_epoch == 1 and not (once and self.attempt > 1):
            if does == "raise":
                raise ZeroDivisionError("by the script")
            if does == "exit":
                raise SystemExit(3)
            if does == "die":
                os.kill(os.getpid(), 9)
            if does == "outgrow" or (does == "crowd" and _gpus() < 1):
                raise torch.OutOfMemoryError("CUDA out of memory, by the script")
        if does == "slow":
            time.sleep(1)
        loss: Tensor = self.weight.square().sum()
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        lost = self.does in ("diverge", "unwell") and self.current_epoch == 1
        self.log("loss" if self.does == "silent" else "val_acc", math.nan if lost else self._score())

    def on_fit_end(self) -> None:
        if self.does == "unwell":
            threading.Event().wait(1)
            os.kill(os.getpid(), 9)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def _score(self) -> float:
        return self.value + (self.current_epoch + 1) / 1000


def _gpus() -> float:
    """What Ray has given to this process."""
    import ray

    given: dict[str, float] = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
    return given["GPU"]


class OneBatch(LightningDataModule):
    """A single batch."""

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(torch.zeros(2, 1)), batch_size=2)

    val_dataloader = train_dataloader
