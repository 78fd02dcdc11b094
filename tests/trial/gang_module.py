"""A user's module whose workers differ; imported in the slots."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

import torch
from pytorch_lightning import LightningModule
from torch import Tensor


class Differing(LightningModule):
    """Logs ``val_acc = value + rank``, not synchronised, and does what ``does`` says in its second epoch.

    Args:
        value: Also names the trial in the notes.
        does: ``train``; else what and which worker: ``raise 1``, ``diverge 1``, ``die 0`` (in the first attempt only),
            ``freeze 1`` (likewise): be stopped, ``stick 1``: sleep for an hour, while the other one raises.
        notes: Folder for ``<value>``, a line a training with the worker's rank and the process's id.
    """

    def __init__(self, value: float, does: str, notes: str) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.value, self.does = value, does
        self.note = Path(notes) / str(value)

    def on_fit_start(self) -> None:
        self.attempt = len(self.note.read_text().splitlines()) // 2 + 1 if self.note.exists() else 1
        self.trainer.strategy.barrier()
        with self.note.open("a") as file:
            file.write(f"{self.trainer.global_rank} {os.getpid()}\n")

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        what, _, who = self.does.partition(" ")
        mine = who == str(self.trainer.global_rank)
        if self.current_epoch == 1:
            if what == "raise" and mine:
                raise ZeroDivisionError(f"by worker {who}")
            if what == "die" and mine and self.attempt == 1:
                time.sleep(1)  # the last report is on its way
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "freeze" and mine and self.attempt == 1:
                time.sleep(0.5)
                os.kill(os.getpid(), signal.SIGSTOP)
            if what == "stick" and mine:
                time.sleep(3600)
            if what == "stick":
                raise ZeroDivisionError("by the other")
        loss: Tensor = self.layer(batch[0]).square().sum()
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        diverges = self.does == f"diverge {self.trainer.global_rank}" and self.current_epoch == 1
        self.log("val_acc", math.nan if diverges else self.value + self.trainer.global_rank)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)
