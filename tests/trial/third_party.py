"""Modules and data as other people write them, knowing nothing of the tuner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from pytorch_lightning.utilities import CombinedLoader
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

ROWS = 8


class OwnOptimizer(LightningModule):
    """Dict batches, a dict from ``training_step``, saved hyperparameters, metrics at the end of the validation."""

    def __init__(self, width: int = 4, net: nn.Module | None = None) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["net"])
        self.net = net or nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))
        self.errors: list[Tensor] = []

    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> Any:
        loss = (self.net(batch["input"]) - batch["target"]).square().mean()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return {"loss": loss, "batch": batch_idx}

    def validation_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        self.errors.append((self.net(batch["input"]) - batch["target"]).square().mean())

    def on_validation_epoch_end(self) -> None:
        self.log("val_error", torch.stack(self.errors).mean())
        self.errors.clear()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.0625)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)}

    def on_train_epoch_end(self) -> None:
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])


class Manual(OwnOptimizer):
    """Steps its one optimizer by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = (self.net(batch["input"]) - batch["target"]).square().mean()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=0.0625)]


class Adversarial(Manual):
    """Two networks, an optimizer each, stepped by hand in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Linear(1, 1)

    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        first, second = optimizers
        for optimizer, sign in ((first, 1), (second, -1)):
            loss = sign * self.critic(self.net(batch["input"]) - batch["target"]).square().mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()

    def configure_optimizers(self) -> Any:
        parts = (self.net, self.critic)
        return [torch.optim.SGD(part.parameters(), lr=0.0625) for part in parts], []


class ManualSchedule(Manual):
    """Steps its schedule by hand as well."""

    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        super().training_step(batch, batch_idx)
        schedule: Any = self.lr_schedulers()
        schedule.step()

    def configure_optimizers(self) -> Any:
        return OwnOptimizer.configure_optimizers(self)


class NoValidation(LightningModule):
    """Trains and logs, and has nothing to validate; brings no optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(1, 1)

    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = (self.net(batch["input"]) - batch["target"]).square().mean()
        self.log("error", loss, on_step=False, on_epoch=True)
        return loss


class ManyLoaders(NoValidation):
    """A dict of loaders in training, two of them in validation."""

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        loss: Tensor = super().training_step(batch["plain"], batch_idx) + 0 * batch["more"]["input"].sum()
        return loss

    def validation_step(self, batch: Mapping[str, Tensor], batch_idx: int, dataloader_idx: int) -> None:
        self.log("val_error", (self.net(batch["input"]) - batch["target"]).square().mean())


class WithLoader(NoValidation):
    """Brings its own data."""

    def train_dataloader(self) -> Any:
        return DataLoader(Rows(), batch_size=4)


class Rows(Dataset[Mapping[str, Tensor]]):
    """Rows as mappings; the target is twice the input."""

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> Mapping[str, Tensor]:
        x = torch.tensor([row / ROWS])
        return {"input": x, "target": 2 * x}

    def __iter__(self) -> Iterator[Mapping[str, Tensor]]:
        return (self[row] for row in range(len(self)))


class Data(LightningDataModule):
    """Dict batches from a plain loader; it only exists after ``setup``."""

    def setup(self, stage: str) -> None:
        self.rows = Rows()

    def train_dataloader(self) -> Any:
        return DataLoader(self.rows, batch_size=4)

    def val_dataloader(self) -> Any:
        return DataLoader(self.rows, batch_size=4)


class SeveralLoaders(Data):
    """A dict of loaders, and a list."""

    def train_dataloader(self) -> Any:
        return {"plain": super().train_dataloader(), "more": super().train_dataloader()}

    def val_dataloader(self) -> Any:
        return [super().val_dataloader(), super().val_dataloader()]


class Combined(SeveralLoaders):
    """The same by Lightning's own class, in turns in validation."""

    def train_dataloader(self) -> Any:
        return CombinedLoader(super().train_dataloader(), "max_size_cycle")

    def val_dataloader(self) -> Any:
        return CombinedLoader(super().val_dataloader(), "sequential")
