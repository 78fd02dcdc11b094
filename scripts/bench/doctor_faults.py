"""What is done to a training so that it goes wrong where the configuration alone cannot: nets, rows, first weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from raytune_nn.nn import Recurrent
from raytune_nn.trial.callbacks.batches import BatchChange

DEAD = 0.75  # of the hidden units
NOISY = 4  # of ten labels


class PlainCNN(nn.Module):
    """Convolutions without norms, then a linear output; images of shape (batch, 1, 8, 8).

    Args:
        activation: Name of a class in torch.nn.
    """

    def __init__(self, depth: int = 3, channels: int = 16, activation: str = "ReLU", num_classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in in [1, *[channels] * (depth - 1)]:
            layers += [nn.Conv2d(fan_in, channels, 3, padding=1), getattr(nn, activation)()]
        self.layers = nn.Sequential(*layers, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * channels, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y


class RowReader(nn.Module):
    """A recurrent network over the pixels of a digit, read row by row.

    Args:
        steps: Parts that the 64 pixels are read in.
        options: Keywords of `raytune_nn.nn.Recurrent`.
    """

    def __init__(self, steps: int = 8, **options: Any) -> None:
        super().__init__()
        self.steps = steps
        fixed = {"vocab_size": None, "in_features": 64 // steps, "num_classes": 10, "embedding_size": 1}
        self.net = Recurrent(**{**fixed, **options})

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x.reshape(len(x), self.steps, -1) + 0.01)  # rows of zeros would be padding
        return y


class NoisyLabels(BatchChange):
    """Four of ten labels are random, always the same for the same row."""

    def change(self, trainer: Trainer, batch: Sequence[Tensor]) -> list[Tensor]:
        x, y = batch
        number = (x.flatten(1) * torch.arange(1, 65)).sum(1).mul(97).long()
        return [x, torch.where(number % 10 < NOISY, (number // 10) % 10, y)]


class OtherValidation(Callback):
    """Validation is of other rows than the training.

    Args:
        what: ``inputs``: pixels are inverted and turned; ``labels``: each is the next class's.
    """

    def __init__(self, what: str) -> None:
        self._inputs = what == "inputs"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        step: Any = pl_module.validation_step

        def validation_step(batch: Sequence[Tensor], batch_idx: int) -> None:
            x, y = batch
            other = [(1 - x).flip(-1).contiguous(), y] if self._inputs else [x, (y + 1) % 10]
            step(other, batch_idx)

        pl_module.validation_step = validation_step  # type: ignore[method-assign]


class DeadUnits(Callback):
    """Three of four hidden units begin where no gradient reaches them."""

    @torch.no_grad()
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        layers = [part for part in pl_module.modules() if isinstance(part, (nn.Linear, nn.Conv2d))]
        for layer in layers[:-1]:
            if layer.bias is not None:
                layer.bias[: int(DEAD * len(layer.bias))] = -100.0
        for part in pl_module.modules():
            if isinstance(part, nn.LSTM):
                gate = slice(3 * part.hidden_size, 3 * part.hidden_size + int(DEAD * part.hidden_size))
                bias: Tensor = part.bias_ih_l0  # type: ignore[assignment]
                bias[gate] = -100.0  # of the output


class LargeWeights(Callback):
    """Weights between hidden layers, and from step to step, begin several times too large.

    Args:
        gain: Factor, from torch's own first weights.
    """

    def __init__(self, gain: float) -> None:
        self._gain = gain

    @torch.no_grad()
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for name, weight in pl_module.named_parameters():
            if weight.dim() > 1:
                recurrent = "weight_hh" in name
                weight.mul_(self._gain if recurrent or "weight_ih" not in name else 1.0)
