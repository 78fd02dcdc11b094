"""Gaussian noise on the gradients, which fades as the training goes on."""

from __future__ import annotations

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from raytune_nn.trial.callbacks.gradients import check_optimizers, with_gradients


class GradientNoise(Callback):
    """Adds noise of variance ``eta / (1 + t) ** gamma`` to the gradient of step t, from 0 (Neelakantan et al. 2015,
    "Adding Gradient Noise Improves Learning for Very Deep Networks", section 3).

    Clipping comes after the noise and bounds both.

    Args:
        eta: Variance at the first step; the paper chooses among 0.01, 0.3 and 1. 0 switches it off.
        gamma: How fast it fades; the paper's is 0.55.

    Raises:
        ValueError: ``eta`` or ``gamma`` is negative, or the optimizer does not fit (see
            `raytune_nn.trial.callbacks.gradients`).
    """

    def __init__(self, eta: float = 0.01, gamma: float = 0.55) -> None:
        for name, value in {"eta": eta, "gamma": gamma}.items():
            if not value >= 0:
                raise ValueError(f"{name} >= 0 must hold, but got {value!r}")
        self._eta, self._gamma = eta, gamma

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_optimizers("GradientNoise", trainer)

    @torch.no_grad()
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        if not self._eta:
            return
        std = (self._eta / (1 + trainer.global_step) ** self._gamma) ** 0.5
        for w in with_gradients(optimizer):
            if w.grad is not None:
                w.grad.add_(torch.randn_like(w.grad), alpha=std)
