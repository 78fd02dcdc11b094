"""Random crops and flips of image batches."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning import Trainer
from torch import Tensor

from raytune_nn.trial.callbacks.batches import BatchChange, change_input, form


class Augment(BatchChange):
    """Shifts each image of a training batch by up to ``padding`` pixels, and flips it with probability one half.

    A shift is a crop of the image's own size from the image framed with zeros (He et al. 2016, "Deep Residual
    Learning", section 4.2). All crops and flips of a batch are one gather, on its device. Each image has draws of its
    own.

    Args:
        padding: Width of the frame in pixels; 0 leaves the place of an image alone.
        flip: Mirror left and right. Not for what has a side, such as digits and letters.

    Raises:
        ValueError: ``padding`` is no whole number >= 0, or, at the first batch, the input is not of shape
            (batch, channels, height, width) and floating point.
    """

    def __init__(self, padding: int = 2, flip: bool = False) -> None:
        if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
            raise ValueError(f"padding must be a whole number >= 0, but got {padding!r}")
        self._padding, self._flip = padding, flip

    def change(self, trainer: Trainer, batch: Any) -> Any:
        return change_input("Augment", batch, self._crop) if self._padding or self._flip else batch

    def _crop(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            raise ValueError(f"Augment needs images of shape (batch, channels, height, width), but got {form(x)}")
        count, channels, height, width = x.shape
        rows = torch.arange(height, device=x.device).expand(count, -1)
        columns = torch.arange(width, device=x.device).expand(count, -1)
        if self._flip:
            flipped = torch.randint(2, (count, 1), device=x.device, dtype=torch.bool)
            columns = torch.where(flipped, columns.flip(1), columns)
        if self._padding:
            x = F.pad(x, (self._padding,) * 4)
            places = torch.randint(2 * self._padding + 1, (2, count, 1), device=x.device)
            rows, columns = rows + places[0], columns + places[1]
        image = torch.arange(count, device=x.device)[:, None, None, None]
        channel = torch.arange(channels, device=x.device)[None, :, None, None]
        return x[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
