"""How large a trial's checkpoints will be, before one is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytorch_lightning import LightningModule
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from raytune_nn.trial.task import Size

FILE, TENSOR = 16_000, 500  # bytes beside the numbers: the archive, random states, names and shapes


def checkpoint_size(module: LightningModule, optimizers: Sequence[Optimizer]) -> Size:
    """The weights and buffers of a module; of its state also what the optimizers keep for each parameter.

    What user's callbacks and data modules save is not known.
    """
    tensors = [value for value in module.state_dict().values() if _is_known(value)]
    model = FILE + sum(TENSOR + value.nbytes for value in tensors)
    state = model
    for optimizer in optimizers:
        kept = _kept(getattr(optimizer, "defaults", {}))
        parameters = [
            parameter for group in optimizer.param_groups for parameter in group["params"] if _is_known(parameter)
        ]
        state += kept * sum(TENSOR + parameter.nbytes for parameter in parameters)
    return Size(model, state)


def _is_known(value: Any) -> bool:
    """Whether a part of a state is a tensor, and not a lazy one that waits for the first batch."""
    return isinstance(value, Tensor) and not is_lazy(value)


def _kept(defaults: dict[str, Any]) -> int:
    """Tensors of a parameter's size that an optimizer of torch keeps for it; 2, as Adam, of one that is not known."""
    if "history_size" in defaults:  # L-BFGS: steps and changes of the gradient, the last of each, and the direction
        return 2 * int(defaults["history_size"]) + 3
    if "betas" in defaults:
        return 2 + bool(defaults.get("amsgrad"))
    momentum = bool(defaults.get("momentum"))
    if "alpha" in defaults:  # RMSprop
        return 1 + momentum + bool(defaults.get("centered"))
    if "dampening" in defaults:  # SGD
        return int(momentum)
    return 1 if "lr_decay" in defaults else 2  # Adagrad
