"""The norm of the gradient as a scalar."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from raytune_nn.trial.callbacks.gradients import unscaled, with_gradients
from raytune_nn.trial.callbacks.scalars import is_due, log_scalars


class GradientNorm(Callback):
    """Logs ``gradient_norm``: the 2-norm of all gradients that an optimizer is about to use, before any clipping.

    That is done at an optimizer's first step in each epoch and as often as Lightning logs steps. Several optimizers
    have one each (``gradient_norm/0``, …).
    """

    def __init__(self) -> None:
        self._stepped = set[int]()  # optimizers, in this epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stepped.clear()

    @torch.no_grad()
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        place = [own is _bare(optimizer) for own in map(_bare, trainer.optimizers)].index(True)
        if place in self._stepped and not is_due(trainer):
            return
        self._stepped.add(place)
        norm: Any = get_total_norm([w.grad for w in with_gradients(optimizer) if w.grad is not None])
        if hasattr(norm, "full_tensor"):  # each worker has a part of it
            norm = norm.full_tensor()
        name = "gradient_norm" if len(trainer.optimizers) == 1 else f"gradient_norm/{place}"
        log_scalars(trainer, {name: float(unscaled(norm, trainer, optimizer))})


def _bare(optimizer: Any) -> Any:
    """Without what Lightning wraps around it."""
    return getattr(optimizer, "_optimizer", optimizer)
