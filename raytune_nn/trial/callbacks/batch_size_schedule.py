"""A batch size that grows during the training."""

from __future__ import annotations

import math
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from raytune_nn.trial.callbacks.intervals import check_epoch_intervals

SCALINGS = {"none": 0.0, "sqrt": 0.5, "linear": 1.0}  # the power of the batch's growth that the learning rate follows


class BatchSizeSchedule(Callback):
    """Multiplies the data module's ``batch_size`` by ``factor`` every ``every`` epochs, up to ``maximum`` (Smith et al.
    2018, "Don't Decay the Learning Rate, Increase the Batch Size").

    It fits any data module whose ``train_dataloader()`` reads its attribute ``batch_size``, which Lightning is told to
    ask again. Other schedules of the learning rate are by epoch: those by step would count steps that never come.

    Scaling multiplies the rate by the growth of the batch so far, or its root, for the duration of each step only:
    schedulers and logs see the rate without it, and any scheduler works.

    Args:
        every: Epochs at one size.
        factor: Growth, more than 1.
        maximum: Rows of the largest batch.
        scale_lr: ``none``, ``linear`` (Goyal et al. 2017, section 2.1) or ``sqrt`` (Krizhevsky 2014, section 5).

    Raises:
        ValueError: An argument is out of bounds; or, at the start, the data module has no numeric ``batch_size``, does
            not use it, or begins above ``maximum``; or a schedule counts steps.
    """

    def __init__(self, every: int, factor: float, maximum: int, scale_lr: str = "none") -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every must be a whole number >= 1, but got {every!r}")
        if not 1 < factor < math.inf:
            raise ValueError(f"factor > 1 must hold, but got {factor!r}")
        if scale_lr not in SCALINGS:
            raise ValueError(f"scale_lr must be one of {', '.join(SCALINGS)}, but got {scale_lr!r}")
        self._every, self._factor, self._maximum = every, factor, maximum
        self._power = SCALINGS[scale_lr]
        self._hooks: list[Any] = []
        self._rates: list[Any] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Notes the size to begin with, and has Lightning ask for the batches again when it changes."""
        if stage != "fit":
            return
        self._data: Any = getattr(trainer, "datamodule", None)
        size = getattr(self._data, "batch_size", None)
        if isinstance(size, bool) or not isinstance(size, int):
            raise ValueError(
                "BatchSizeSchedule needs a data module whose batch_size is a number, but "
                + (f"{type(self._data).__name__}.batch_size is {size!r}" if self._data else "there is no data module")
            )
        if size > self._maximum:
            raise ValueError(f"batch_size <= maximum must hold, but got {size} and {self._maximum}")
        self._initial = self._size = size
        options: Any = trainer  # its class does not declare this attribute; 0 where the user asked for nothing
        options.reload_dataloaders_every_n_epochs = math.gcd(self._every, options.reload_dataloaders_every_n_epochs)

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on needs of the one before it."""
        return {"size": self._size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._size = self._data.batch_size = state_dict["size"]

    def size_at(self, epoch: int) -> int:
        """Rows of a batch in this epoch, counted from 0."""
        grown = self._initial * self._factor ** (epoch // self._every)
        return round(min(grown, self._maximum))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_epoch_intervals("BatchSizeSchedule", trainer)
        for optimizer in trainer.optimizers if self._power else ():
            self._hooks += [
                optimizer.register_step_pre_hook(self._scale),
                optimizer.register_step_post_hook(self._scale_back),
            ]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loader = trainer.train_dataloader
        found = getattr(loader, "batch_size", self._size)
        if found != self._size:
            raise ValueError(
                f"train_dataloader() of {type(self._data).__name__} must take its batch_size ({self._size}), "
                f"but gave batches of {found}"
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._size = self._data.batch_size = self.size_at(trainer.current_epoch + 1)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def _scale(self, optimizer: Optimizer, args: Any, keywords: Any) -> None:
        growth = (self._size / self._initial) ** self._power
        self._rates = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * growth

    def _scale_back(self, optimizer: Optimizer, args: Any, keywords: Any) -> None:
        for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate
