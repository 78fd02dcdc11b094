"""Gaussian noise on the inputs."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Trainer

from raytune_nn.trial.callbacks.batches import BatchChange, change_input


class InputNoise(BatchChange):
    """Adds Gaussian noise to the inputs of training batches (Bishop 1995, "Training with Noise is Equivalent to
    Tikhonov Regularization").

    The input is the batch itself where that is a tensor, else its first part.

    Args:
        std: Standard deviation, in units of the input. 0 switches it off.

    Raises:
        ValueError: ``std`` is negative, or, at the first batch, the input is not of floating point.
    """

    def __init__(self, std: float = 0.1) -> None:
        if not std >= 0:
            raise ValueError(f"std >= 0 must hold, but got {std!r}")
        self._std = std

    def change(self, trainer: Trainer, batch: Any) -> Any:
        if not self._std:
            return batch
        return change_input("InputNoise", batch, lambda x: torch.add(x, torch.randn_like(x), alpha=self._std))
