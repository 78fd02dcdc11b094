"""A convolutional network over time for sounds, given as log-mel spectrograms."""

from __future__ import annotations

from torch import Tensor, nn

from raytune_nn.nn.layers import (
    Activation,
    activation_layer,
    check_at_least,
    check_odd,
    check_one_of,
    dropout_layers,
    norm_layers,
)
from raytune_nn.nn.pooling import AttentionPooling, MaxPooling, MeanPooling
from raytune_nn.nn.steps import real_lengths, real_steps

POOLINGS = ("mean", "max", "attention")


class AudioCNN(nn.Module):
    """Blocks of one convolution over time, each halving the frames, then pooling over the frames and an output.

    A block is convolution, norm, activation, max pooling over two frames, dropout. The mel bands are the channels
    of the first convolution. Frames of zeros that follow a row's last real frame are padding; they change nothing
    but the batch norm's statistics in training.

    Args:
        num_mels: Mel bands of a frame.
        num_classes: Numbers in one output.
        blocks: Blocks, at least one.
        channels: Channels of every block.
        kernel_size: Frames that a convolution sees, odd, so that padding keeps their number.
        activation: A name in `raytune_nn.nn.layers.ACTIVATIONS`, or a mapping of it and its parameters.
        norm: ``"none"``, ``"batch"``, or ``"layer"`` (over the channels of each frame), before each activation.
        pooling: ``"mean"``, ``"max"`` or ``"attention"`` (see `raytune_nn.nn.pooling`) over the frames.
        dropout: Probability that a channel of a frame is dropped in training, ``0 <= dropout < 1``.

    Raises:
        ValueError: A size is too small, the kernel is even, or a name or a parameter of the activation is unknown.
    """

    def __init__(
        self,
        num_mels: int,
        num_classes: int,
        blocks: int = 3,
        channels: int = 64,
        kernel_size: int = 5,
        activation: Activation = "relu",
        norm: str = "batch",
        pooling: str = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, num_mels=num_mels, num_classes=num_classes, blocks=blocks, channels=channels)
        check_odd(kernel_size)
        self.num_mels = num_mels
        self.blocks = nn.ModuleList(
            nn.Sequential(
                # A batch norm takes the mean away, and with it what a bias would add.
                nn.Conv1d(fan_in, channels, kernel_size, padding=kernel_size // 2, bias=norm != "batch"),
                *_norm(norm, channels),
                activation_layer(activation),
            )
            for fan_in in [num_mels] + [channels] * (blocks - 1)
        )
        # ceil_mode keeps a single frame alive, so that no number of blocks is too many.
        self.halve = nn.MaxPool1d(2, ceil_mode=True)
        self.dropout = nn.Sequential(*dropout_layers(dropout))
        self.pool = _pooling(pooling, channels)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (batch, num_mels, frames) to (batch, num_classes).

        Raises:
            ValueError: ``x`` has not three dimensions, other mel bands, or no frame.
        """
        if x.dim() != 3 or x.shape[1] != self.num_mels or not x.shape[2]:
            raise ValueError(
                f"AudioCNN wants features of shape (batch, num_mels={self.num_mels}, frames), but got {tuple(x.shape)}"
            )
        lengths = real_lengths((x != 0).any(1))
        x = x[..., : int(lengths.max())]
        padding = ~real_steps(lengths, x.shape[2])
        for block in self.blocks:
            x = self.halve(block(x).masked_fill(padding.unsqueeze(1), -float("inf")))
            lengths = (lengths + 1) // 2
            padding = ~real_steps(lengths, x.shape[2])
            x = self.dropout(x.masked_fill(padding.unsqueeze(1), 0.0))
        y: Tensor = self.head(self.pool(x.transpose(1, 2), ~padding))
        return y


class _FrameNorm(nn.LayerNorm):
    """Layer norm over the channels of each frame of ``x`` (batch, channels, frames)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def _norm(name: str, channels: int) -> list[nn.Module]:
    return [_FrameNorm(channels)] if name == "layer" else norm_layers(name, channels)


def _pooling(name: str, channels: int) -> nn.Module:
    check_one_of(POOLINGS, pooling=name)
    if name == "attention":
        return AttentionPooling(channels)
    return MaxPooling() if name == "max" else MeanPooling()
