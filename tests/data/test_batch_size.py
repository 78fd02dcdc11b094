"""The batch size of a data module, changed by a callback while Lightning trains."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from raytune_nn.data import DigitsDataModule
from raytune_nn.data.arrays import Arrays


class Doubled(Callback):
    """Doubles the batch size after each epoch, and counts the steps of each."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.steps.append(trainer.global_step - sum(self.steps))
        trainer.datamodule.batch_size *= 2  # type: ignore[attr-defined]


class Linear(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def training_step(self, batch: Arrays, batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self.layer(x), y)

    def validation_step(self, batch: Arrays, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def test_a_batch_size_changed_between_epochs_holds_from_the_next_loader_on() -> None:
    doubled, data = Doubled(), DigitsDataModule(batch_size=300)
    trainer = Trainer(
        max_epochs=3,
        reload_dataloaders_every_n_epochs=1,
        callbacks=[doubled],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Linear(), datamodule=data)
    assert 900 < sum(len(y) for _, y in data.train_dataloader()) <= 1200
    assert doubled.steps == [4, 2, 1]
