"""A small convolutional network for images of any size."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from raytune_nn.nn.layers import (
    Activation,
    activation_layer,
    check_at_least,
    check_odd,
    check_one_of,
    dropout_layers,
)

POOLINGS: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "avg": (nn.AvgPool2d, nn.AdaptiveAvgPool2d),
    "max": (nn.MaxPool2d, nn.AdaptiveMaxPool2d),
}

# Cells a side of the image's summary. A mean over the whole image tells neither where a pattern stands nor how
# several of them lie: on MNIST it reached less than half of the accuracy of four cells after one epoch.
GRID = 2

# Share of the newest batch in the running statistics. At the default learning rate the weights move far within
# the ten batches over which torch's 0.1 averages, and the first evaluations fall to chance.
MOMENTUM = 0.3


class CNN(nn.Module):
    """A stem, then blocks of one convolution, each on an image half as wide and high, then a linear output.

    Stem and blocks normalise over the batch before their activation. What the last block gives is summarised in
    2x2 cells, whatever the size of the image, and normalised over the batch once more.

    Args:
        in_channels: Channels of the image, 1 for grey.
        num_classes: Numbers in one output.
        channels: Channels of the stem and of the first block.
        blocks: Blocks after the stem, at least one.
        channel_growth: Factor from the channels of one block to those of the next, at least 1.
        kernel_size: Side of every convolution in pixels, odd, so that padding keeps the size of the image.
        activation: A name in `raytune_nn.nn.layers.ACTIVATIONS`, or a mapping of it and its parameters.
        pooling: ``"avg"`` or ``"max"``: how images are halved and summarised.
        dropout: Probability that a number of the summary is dropped in training, ``0 <= dropout < 1``.
        residual: Add a block's input to its output (He et al. 2016, "Deep Residual Learning for Image
            Recognition", section 3.2), through a convolution of one pixel where the channels grow.

    Raises:
        ValueError: A size is too small, the kernel is even, or a name or a parameter of the activation is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        channels: int = 32,
        blocks: int = 2,
        channel_growth: float = 1.0,
        kernel_size: int = 3,
        activation: Activation = "relu",
        pooling: str = "avg",
        dropout: float = 0.0,
        residual: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, num_classes=num_classes, channels=channels, blocks=blocks)
        check_odd(kernel_size)
        check_one_of(POOLINGS, pooling=pooling)
        if not channel_growth >= 1:
            raise ValueError(f"channel_growth >= 1 must hold, but got {channel_growth!r}")
        halve, summarise = POOLINGS[pooling]
        widths = [channels] + [round(channels * channel_growth**number) for number in range(blocks)]
        self.in_channels = in_channels
        self.stem = _convolution(in_channels, channels, kernel_size, activation)
        self.blocks = nn.ModuleList(
            _Block(fan_in, fan_out, kernel_size, activation, residual) for fan_in, fan_out in itertools.pairwise(widths)
        )
        # ceil_mode keeps an image of one pixel alive, so that no number of blocks is too many.
        self.halve = halve(2, ceil_mode=True)
        self.summary = nn.Sequential(
            summarise(GRID), nn.Flatten(), nn.BatchNorm1d(widths[-1] * GRID**2, momentum=MOMENTUM)
        )
        self.head = nn.Sequential(*dropout_layers(dropout), nn.Linear(widths[-1] * GRID**2, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (batch, in_channels, height, width) to (batch, num_classes).

        Raises:
            ValueError: ``x`` has not four dimensions, or other channels.
        """
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"CNN wants images of shape (batch, in_channels={self.in_channels}, height, width), "
                f"but got {tuple(x.shape)}"
            )
        x = self.stem(x)
        for block in self.blocks:
            x = block(self.halve(x))
        y: Tensor = self.head(self.summary(x))
        return y


class _Block(nn.Module):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, activation: Activation, residual: bool
    ) -> None:
        super().__init__()
        self.convolution = _convolution(in_channels, out_channels, kernel_size, activation)
        grows = in_channels != out_channels
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False) if residual and grows else nn.Identity()
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convolution(x)
        return self.shortcut(x) + y if self.residual else y


def _convolution(in_channels: int, out_channels: int, kernel_size: int, activation: Activation) -> nn.Sequential:
    return nn.Sequential(
        # The normalisation has a bias of its own.
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels, momentum=MOMENTUM),
        activation_layer(activation),
    )
