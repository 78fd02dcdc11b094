"""What callbacks that change gradients share: whose gradients, and where that would be wrong.

They act in ``on_before_optimizer_step``: once a step, with the accumulated gradient, also in manual optimization where
the module steps through ``self.optimizers()``. Clipping comes after them, as if the change were part of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytorch_lightning import Trainer
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer


def check_optimizers(name: str, trainer: Trainer) -> None:
    """Checks that gradients can be changed from outside.

    Args:
        name: Who asks, for the message.

    Raises:
        ValueError: An optimizer sees the loss as well and would find that both disagree, or it undoes the loss scaling
            of 16-mixed by itself, so that its gradients have an unknown scale.
    """
    scales = getattr(trainer.precision_plugin, "scaler", None) is not None
    for optimizer in trainer.optimizers:
        kind = type(optimizer).__name__
        if any(group.get("line_search_fn") for group in optimizer.param_groups):
            raise ValueError(
                f"{name} changes gradients but not the loss, which the line search of {kind} compares with them: "
                "optimizer.line_search_fn=null, or leave one of the two out"
            )
        if scales and getattr(optimizer, "_step_supports_amp_scaling", False):
            raise ValueError(
                f"{name} needs gradients in their true scale, but a fused {kind} with trainer.precision=16-mixed "
                "scales them back in its own step: optimizer.fused=null or trainer.precision=bf16-mixed"
            )


def with_gradients(optimizer: Optimizer) -> Iterator[Parameter]:
    """The parameters that this optimizer is about to move, each once."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                yield parameter


def unscaled(norm: Tensor, trainer: Trainer, optimizer: Optimizer) -> Tensor:
    """A norm of gradients in their true scale: fused optimizers undo the loss scaling of 16-mixed in their own step."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    if scaler is None or not getattr(optimizer, "_step_supports_amp_scaling", False):
        return norm
    scaled: Tensor = norm / scaler.get_scale()
    return scaled
