"""Trainings that sleep: what is left of a study's time is the engine's."""

from __future__ import annotations

import time

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class SleepingModule(LightningModule):
    """One batch an epoch, which takes so many seconds; what it logs is what it was given.

    Args:
        seconds: Sleep of a batch.
        score: Logged as ``score``.
    """

    def __init__(self, seconds: float, score: float) -> None:
        super().__init__()
        self.seconds, self.score = seconds, score
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: list[Tensor], index: int) -> None:
        time.sleep(self.seconds)
        self.log("score", self.score)

    def configure_optimizers(self) -> None:
        return None


class OneRow(LightningDataModule):
    """One row, for training only."""

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(torch.zeros(1, 1)))
