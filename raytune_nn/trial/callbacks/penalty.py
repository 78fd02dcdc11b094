"""L1 and L2 penalties on the weights, whatever the loss and the optimizer."""

from __future__ import annotations

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from raytune_nn.trial.callbacks.gradients import check_optimizers, with_gradients
from raytune_nn.trial.param_groups import NORMS


class Penalty(Callback):
    """Trains on ``loss + weight * sum |w| ** power`` without touching the loss.

    The penalty's gradient, ``weight * sign(w)`` or ``2 * weight * w``, is added to that of the loss before each step
    and before clipping. Logged losses stay without it, so that trials with different weights compare. L2 is what most
    optimizers of torch do with a ``weight_decay`` of ``2 * weight``, for all weights; AdamW's is another thing, since
    it bypasses the scaling of the gradient.

    Parameters without a gradient in a step (frozen, or out of use) are left alone in that step.

    Args:
        weight: Factor of the penalty. 0 switches it off.
        power: 1 for L1, 2 for L2.
        norms_and_biases: Also penalise the parameters of torch's norms, and those of fewer than two dimensions.

    Raises:
        ValueError: ``weight`` is negative, ``power`` is neither, or the optimizer does not fit (see
            `raytune_nn.trial.callbacks.gradients`).
    """

    def __init__(self, weight: float, power: int, norms_and_biases: bool = False) -> None:
        if not weight >= 0:
            raise ValueError(f"weight >= 0 must hold, but got {weight!r}")
        if power not in (1, 2):
            raise ValueError(f"power must be 1 or 2, but got {power!r}")
        self._weight, self._power, self._norms_and_biases = weight, power, norms_and_biases
        self._spared: set[int] = set()  # by identity

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_optimizers("Penalty", trainer)
        if not self._norms_and_biases:
            norms = (module for module in pl_module.modules() if isinstance(module, NORMS))
            self._spared = {id(w) for norm in norms for w in norm.parameters(recurse=False)}
            self._spared |= {id(w) for w in pl_module.parameters() if w.dim() < 2}

    @torch.no_grad()
    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        if not self._weight:
            return
        for w in with_gradients(optimizer):
            if id(w) not in self._spared and w.grad is not None:
                slope = w.sign() if self._power == 1 else w
                w.grad.add_(slope, alpha=self._power * self._weight)
