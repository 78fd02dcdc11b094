"""What data modules of images share: bytes in memory, floats in each batch."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from raytune_nn.data.arrays import Arrays
from raytune_nn.data.module import ArrayDataModule, ArrayOptions

_FULL = 255  # the value of a full byte
_BLOCK = 2**24  # bytes that are looked at together


class ImageOptions(ArrayOptions, total=False):
    """The keywords of `ImageDataModule`, which every subclass takes and hands on."""

    image: bool
    standardise: bool


class ImageDataModule(ArrayDataModule):
    """Images of one size as batches ``(x, y)``; ``read`` gives bytes of shape (rows, channels, height, width).

    ``x`` is float32 in 0..1 of shape (batch, channels, height, width), or (batch, numbers) without ``image``;
    ``y`` is int64 of shape (batch,). The bytes stay as they are, mapped from the cache, and become floats in each
    batch: a quarter of the memory, shared by all trials of a node, for a few microseconds a batch.

    Args:
        image: Yield images; otherwise the numbers of each in a row, channel by channel.
        standardise: Subtract each channel's mean over the training rows, and divide by its standard deviation.
        options: Keywords of `ArrayDataModule`: batch size, splits and folds.

    Attributes:
        num_features: Numbers in one input; from ``setup`` on, as all that follow.
        num_classes: Classes.
        input_shape: Shape of one input.
        in_channels: Channels of one image.
    """

    transform_batches = True
    num_features: int
    input_shape: tuple[int, ...]
    in_channels: int

    def __init__(self, image: bool = True, standardise: bool = False, **options: Unpack[ArrayOptions]) -> None:
        super().__init__(**options)
        self.image, self.standardise = image, standardise

    def fit(self, arrays: Arrays, rows: Tensor) -> None:
        """Note the sizes, and each channel's mean and standard deviation over the training rows."""
        x = arrays[0]
        self.in_channels, self.num_features = x.shape[1], x[0].numel()
        self.input_shape = tuple(x.shape[1:]) if self.image else (self.num_features,)
        if self.standardise:
            mean, deviation = _moments(x, rows)
            self._mean, self._deviation = mean.float().reshape(-1, 1, 1), deviation.float().reshape(-1, 1, 1)

    def transform(self, arrays: Arrays) -> Arrays:
        """Bytes to floats."""
        x, y = arrays
        x = x.float()
        x = x.sub_(self._mean).div_(self._deviation) if self.standardise else x.div_(_FULL)
        return x.reshape(-1, *self.input_shape), y


def _moments(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel's bytes over the given rows, as float64 of shape (channels,).

    Bytes are counted, which is exact and faster than adding them up as floats. A channel of one value gets the
    deviation 1.
    """
    counts = torch.zeros(x.shape[1], _FULL + 1, dtype=torch.float64)
    for some in torch.split(rows, max(1, _BLOCK // x[0].numel())):
        block = x[some]
        counts += torch.stack(
            [block[:, channel].flatten().bincount(minlength=_FULL + 1) for channel in range(len(counts))]
        )
    values = torch.arange(_FULL + 1, dtype=torch.float64)
    shares = counts / counts.sum(1, keepdim=True)
    mean = (shares * values).sum(1)
    deviation = (shares * (values - mean[:, None]) ** 2).sum(1).sqrt()
    return mean, torch.where(deviation == 0, 1.0, deviation)
