"""Small modules and data that the tests of callbacks train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.trial.reporter import Reporter
from raytune_nn.trial.task import Report

LOSS = Objective("val_loss", maximise=False, take=Take.best)


class Rows(LightningDataModule):
    """These tensors, in order, for training and validation."""

    def __init__(self, *tensors: Tensor, batch_size: int = 4) -> None:
        super().__init__()
        self.tensors, self.batch_size = tensors, batch_size

    def train_dataloader(self) -> Any:
        return DataLoader(TensorDataset(*self.tensors), batch_size=self.batch_size)

    def val_dataloader(self) -> Any:
        return DataLoader(TensorDataset(*self.tensors), batch_size=self.batch_size)


class Net(LightningModule):
    """A network that learns ``y`` from ``x`` by the squared error, and keeps what it saw.

    Args:
        net: Any network.
        optimizer: From parameters to an optimizer.
        schedule: From the optimizer to a schedule by epoch, or to Lightning's dictionary of one, or None.
    """

    def __init__(
        self,
        net: nn.Module | None = None,
        optimizer: Callable[..., Any] = torch.optim.SGD,
        schedule: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.net = net or nn.Linear(2, 1)
        self._make, self._options, self._schedule = optimizer, {"lr": 0.1, **options}, schedule
        self.seen: list[Any] = []  # batches of training
        self.checked: list[Any] = []  # batches of validation
        self.gradients: list[list[Tensor | None]] = []  # at each step, once all callbacks had them
        self.rates: list[float] = []  # at the beginning of each epoch

    def loss(self, batch: Sequence[Tensor]) -> Tensor:
        x, y = batch
        loss: Tensor = (self.net(x) - y).square().mean()
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.seen.append(batch)
        return self.loss(batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.checked.append(batch)
        self.log("val_loss", self.loss(batch))

    def on_train_epoch_start(self) -> None:
        self.rates += [group["lr"] for optimizer in self.trainer.optimizers for group in optimizer.param_groups[:1]]

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        gradients = [parameter.grad for parameter in self.parameters()]
        self.gradients.append([None if grad is None else grad.clone() for grad in gradients])

    def configure_optimizers(self) -> Any:
        optimizer = self._make([p for p in self.parameters() if p.requires_grad], **self._options)
        return optimizer if self._schedule is None else ([optimizer], [self._schedule(optimizer)])


class Manual(Net):
    """The same, stepping by itself."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:  # type: ignore[override]
        self.seen.append(batch)
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.loss(batch))
        optimizer.step()


def by_steps(optimizer: Any) -> dict[str, Any]:
    """A schedule for `Net` that counts optimizer steps."""
    return {"scheduler": ExponentialLR(optimizer, gamma=0.5), "interval": "step"}


def fit(module: LightningModule, data: LightningDataModule, *callbacks: Callback, **trainer: Any) -> Trainer:
    """Trains, for one epoch if nothing else is said, and writes and prints nothing."""
    silent = ("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger")
    options = {"accelerator": "cpu", "num_sanity_val_steps": 0, "max_epochs": 1, **dict.fromkeys(silent, False)}
    if any(isinstance(callback, Reporter) for callback in callbacks):
        options["enable_checkpointing"] = True
    built = Trainer(**{**options, **trainer}, callbacks=list(callbacks))
    built.fit(module, datamodule=data)
    return built


class Keeper:
    """In a checkpointer's place: keeps the weights that each report would be saved with."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []

    def keep(self, trainer: Trainer, value: float | None) -> None:
        state = trainer.lightning_module.state_dict()
        self.weights.append({name: tensor.clone() for name, tensor in state.items()})


class Reports(list[Report]):
    """Takes reports, and answers whether to go on; ``until`` is how many are wanted."""

    def __init__(self, until: int = 10**6) -> None:
        super().__init__()
        self.until = until

    def __call__(self, report: Report) -> bool:
        self.append(report)
        return len(self) < self.until


def reporter(reports: Reports, objective: Objective = LOSS) -> tuple[Reporter, Keeper]:
    """The trial's own callback, and what it would have kept."""
    callback, keeper = Reporter(reports, objective), Keeper()
    callback.checkpointer = keeper  # type: ignore[assignment]
    return callback, keeper


def line(rows: int = 8) -> tuple[Tensor, Tensor]:
    """Inputs of shape (rows, 2) and what is to be learned of them, shape (rows, 1)."""
    x = torch.linspace(-1, 1, 2 * rows).reshape(rows, 2)
    return x, x.sum(1, keepdim=True)
