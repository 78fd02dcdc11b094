"""Noisy sines, served by plain DataLoaders."""

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset, random_split


class Curves(LightningDataModule):
    def __init__(self, rows: int, batch_size: int):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        x = torch.linspace(-3, 3, self.hparams.rows).unsqueeze(1)
        y = torch.sin(x) + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
        self.num_outputs = np.int64(y.shape[1])
        parts = random_split(TensorDataset(x, y), [0.75, 0.25], generator=torch.Generator().manual_seed(2))
        self.train_rows, self.val_rows = parts

    def train_dataloader(self):
        return DataLoader(self.train_rows, batch_size=self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val_rows, batch_size=self.hparams.batch_size)
