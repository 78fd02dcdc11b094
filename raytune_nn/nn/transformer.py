"""A Transformer encoder for sequences of tokens or of features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from raytune_nn.nn.layers import Activation, activation_layer, check_at_least, check_one_of, dropout_layers
from raytune_nn.nn.pooling import AttentionPooling, MeanPooling
from raytune_nn.nn.steps import StepInput, real_steps

POSITIONS = ("learned", "sinusoidal")
POOLINGS = ("mean", "attention", "cls")
POSITION_STD = 0.02  # of learned positions and of the cls step at the start, as in BERT


class Transformer(nn.Module):
    """Embedding and position, encoder layers (Vaswani et al. 2017, "Attention Is All You Need"), pooling, output.

    No step attends to padding (tokens 0, or frames of zeros, that follow a row's last real step), and the pooling
    leaves it out: it changes nothing.

    Args:
        num_classes: Numbers in one output.
        max_length: Steps of the longest input.
        vocab_size: How many tokens there are, 0 (padding) included, where the input is tokens.
        in_features: Numbers in one step, where the input is features; a linear layer maps them to ``width``.
            Exactly one of both is given.
        layers: Encoder layers.
        width: Features of a step, a multiple of ``heads``; even for sinusoidal positions.
        heads: Attention heads.
        feed_forward_factor: Units of a feed-forward layer for each of ``width``.
        activation: Of the feed-forward layers: a name in `raytune_nn.nn.layers.ACTIVATIONS`, or a mapping of it
            and its parameters.
        dropout: Probability that a number of a step or an attention weight is dropped in training,
            ``0 <= dropout < 1``.
        pre_norm: Normalise what goes into attention and feed-forward layer, and once at the end (Xiong et al.
            2020, "On Layer Normalization in the Transformer Architecture"); otherwise what comes out, as the first
            paper does, which wants a warm-up of the learning rate.
        positions: ``"learned"`` or ``"sinusoidal"`` (section 3.5), added to the steps.
        pooling: ``"mean"`` over the steps, ``"attention"`` (see `raytune_nn.nn.pooling.AttentionPooling`), or
            ``"cls"``: a learned step in front of the others, as BERT has it (Devlin et al. 2019).

    Raises:
        ValueError: A size is too small or does not fit another, a name or a parameter of the activation is
            unknown, or both or none of ``vocab_size`` and ``in_features`` are given.
    """

    positions: Tensor  # (max_length, width)

    def __init__(
        self,
        num_classes: int,
        max_length: int,
        vocab_size: int | None = None,
        in_features: int | None = None,
        layers: int = 2,
        width: int = 64,
        heads: int = 4,
        feed_forward_factor: int = 2,
        activation: Activation = "gelu",
        dropout: float = 0.1,
        pre_norm: bool = True,
        positions: str = "learned",
        pooling: str = "mean",
    ) -> None:
        super().__init__()
        check_at_least(1, num_classes=num_classes, max_length=max_length, layers=layers, width=width, heads=heads)
        check_at_least(1, feed_forward_factor=feed_forward_factor)
        check_one_of(POSITIONS, positions=positions)
        check_one_of(POOLINGS, pooling=pooling)
        if width % heads:
            raise ValueError(f"width must be a multiple of heads, but got width={width}, heads={heads}")
        self.max_length = max_length
        self.input = StepInput(vocab_size, in_features, embedding_size=width)
        self.project = nn.Identity() if in_features is None else nn.Linear(in_features, width)
        if positions == "learned":
            self.positions = nn.Parameter(torch.randn(max_length, width) * POSITION_STD)
        else:
            self.register_buffer("positions", sinusoids(max_length, width), persistent=False)
        self.cls = nn.Parameter(torch.randn(width) * POSITION_STD) if pooling == "cls" else None
        self.dropout = nn.Sequential(*dropout_layers(dropout))
        # Not nn.TransformerEncoder: it copies one layer, so that all of them start with the same weights.
        self.layers = nn.ModuleList(
            _layer(width, heads, feed_forward_factor * width, activation, dropout, pre_norm) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width) if pre_norm else nn.Identity()
        self.pool = AttentionPooling(width) if pooling == "attention" else MeanPooling()
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map int64 tokens (batch, length), or features (batch, length, in_features), to (batch, num_classes).

        Raises:
            ValueError: ``x`` is neither, is longer than ``max_length``, or a token is not below ``vocab_size``.
        """
        if x.dim() > 1 and x.shape[1] > self.max_length:
            raise ValueError(f"the input may have at most max_length={self.max_length} steps, but got {tuple(x.shape)}")
        x, lengths = self.input(x)
        x = self.project(x) + self.positions[: x.shape[1]]
        if self.cls is not None:
            x = torch.cat([self.cls.expand(len(x), 1, -1), x], 1)
            lengths = lengths + 1
        x, mask = self.dropout(x), real_steps(lengths, x.shape[1])
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=~mask)
        x = self.norm(x)
        y: Tensor = self.head(self.pool(x, mask) if self.cls is None else x[:, 0])
        return y


def sinusoids(length: int, width: int) -> Tensor:
    """Sinusoidal positions of shape (length, width): sine and cosine in turn (Vaswani et al. 2017, section 3.5).

    Raises:
        ValueError: ``width`` is odd.
    """
    if width % 2:
        raise ValueError(f"sinusoidal positions want an even width, but got {width}")
    frequencies = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


def _layer(
    width: int, heads: int, feed_forward: int, activation: Activation, dropout: float, pre_norm: bool
) -> nn.TransformerEncoderLayer:
    function = activation_layer(activation)
    layer = nn.TransformerEncoderLayer(
        width,
        heads,
        dim_feedforward=feed_forward,
        dropout=dropout,
        activation=function,
        batch_first=True,
        norm_first=pre_norm,
    )
    if getattr(function, "approximate", "none") != "none":
        layer.activation_relu_or_gelu = 0  # torch's fast evaluation would take the exact GELU instead
    return layer
