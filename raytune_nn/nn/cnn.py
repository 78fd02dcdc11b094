"""A small convolutional network for images of any size."""

from __future__ import annotations

from torch import Tensor, nn

from raytune_nn.nn.layers import activation_layer, check_at_least, dropout_layers


class CNN(nn.Module):
    """A stem, then blocks of one convolution, then the mean over the image and a linear output.

    Each block but the first works on an image halved by average pooling. Stem and blocks keep the number of
    channels, and each normalises over the batch before its activation.

    Args:
        in_channels: Channels of the image, 1 for grey.
        num_classes: Numbers in one output.
        channels: Channels of the stem and of every block.
        blocks: Blocks after the stem, at least one.
        kernel_size: Side of every convolution in pixels, odd, so that padding keeps the size of the image.
        activation: A name in `raytune_nn.nn.layers.ACTIVATIONS`.
        dropout: Probability that a channel's mean is dropped in training, ``0 <= dropout < 1``.
        residual: Add a block's input to its output (He et al. 2016, "Deep Residual Learning for Image
            Recognition", section 3.2).

    Raises:
        ValueError: A size is too small, the kernel is even, or the activation is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        channels: int = 32,
        blocks: int = 2,
        kernel_size: int = 3,
        activation: str = "relu",
        dropout: float = 0.0,
        residual: bool = True,
    ) -> None:
        super().__init__()
        check_at_least(1, in_channels=in_channels, num_classes=num_classes, channels=channels)
        check_at_least(1, blocks=blocks, kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, but got {kernel_size}")
        self.stem = _convolution(in_channels, channels, kernel_size, activation)
        self.blocks = nn.ModuleList(_convolution(channels, channels, kernel_size, activation) for _ in range(blocks))
        # ceil_mode keeps an image of one pixel alive, so that no number of blocks is too many.
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.head = nn.Sequential(*dropout_layers(dropout), nn.Linear(channels, num_classes))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (batch, in_channels, height, width) to (batch, num_classes).

        Raises:
            ValueError: ``x`` has not four dimensions.
        """
        if x.dim() != 4:
            raise ValueError(f"CNN wants images of shape (batch, channels, height, width), but got {tuple(x.shape)}")
        x = self.stem(x)
        for number, block in enumerate(self.blocks):
            if number:
                x = self.pool(x)
            x = x + block(x) if self.residual else block(x)
        y: Tensor = self.head(x.mean((2, 3)))
        return y


def _convolution(in_channels: int, out_channels: int, kernel_size: int, activation: str) -> nn.Sequential:
    return nn.Sequential(
        # The normalisation has a bias of its own.
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        activation_layer(activation),
    )
