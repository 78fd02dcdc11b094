"""Mixup: training on convex combinations of pairs of rows."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning import Trainer
from torch import Tensor
from torch.distributions import Beta

from raytune_nn.trial.callbacks.batches import BatchChange, check_floating, form, rebuilt


class Mixup(BatchChange):
    """Mixes each row of a training batch with another row of it (Zhang et al. 2018, "mixup", section 2).

    ``x' = l x_i + (1 - l) x_j`` and ``y' = l y_i + (1 - l) y_j``, with one l ~ Beta(alpha, alpha) a batch and j a
    permutation of the rows.

    It fits modules whose batch is ``(x, y)``: x of floating point, shape (batch, *); y either classes as int64 of shape
    (batch,), or numbers of floating point (regression), shape (batch, *). Classes reach the module as their
    probabilities, shape (batch, classes), which torch's cross entropy takes; a module that counts or indexes with the
    labels of its training batches does not fit, and fails at its first batch.

    Args:
        alpha: Strength; the paper takes 0.1 to 0.4 on ImageNet, 1 on CIFAR. 0 switches it off.
        num_classes: Null takes it from the data module or the module, whichever has that attribute.

    Raises:
        ValueError: ``alpha`` is negative, or, at the first batch, the batches have another form.
    """

    def __init__(self, alpha: float = 0.2, num_classes: int | None = None) -> None:
        if not alpha >= 0:
            raise ValueError(f"alpha >= 0 must hold, but got {alpha!r}")
        self._share = Beta(float(alpha), float(alpha)) if alpha else None
        self._num_classes = num_classes

    def change(self, trainer: Trainer, batch: Any) -> Any:
        if self._share is None:
            return batch
        x, y = _parts(batch)
        if not y.is_floating_point():
            y = F.one_hot(y, self._classes(trainer)).to(x.dtype)
        share = self._share.sample().item()
        other = torch.randperm(len(x), device=x.device)
        return rebuilt(batch, [torch.lerp(part[other], part, share) for part in (x, y)])

    def _classes(self, trainer: Trainer) -> int:
        if self._num_classes is not None:
            return self._num_classes
        for owner in (getattr(trainer, "datamodule", None), trainer.lightning_module):
            count = getattr(owner, "num_classes", None)
            if isinstance(count, int):
                return count
        raise ValueError(
            "Mixup needs the number of classes: neither the data module nor the module has an attribute num_classes, "
            "so give callbacks.mixup.num_classes"
        )


def _parts(batch: Any) -> tuple[Tensor, Tensor]:
    pair = isinstance(batch, (list, tuple)) and len(batch) == 2
    if not pair or not all(isinstance(part, Tensor) for part in batch):
        raise ValueError(f"Mixup needs batches (x, y) of two tensors, but got {form(batch)}")
    x, y = batch
    check_floating("Mixup", x)
    if not y.is_floating_point() and (y.dtype != torch.int64 or y.dim() != 1):
        raise ValueError(f"Mixup needs classes as int64 of shape (batch,) or floating targets, but got {form(y)}")
    if len(x) != len(y):
        raise ValueError(f"Mixup needs x and y of the same number of rows, but got {form(batch)}")
    return x, y
