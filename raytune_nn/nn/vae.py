"""A variational auto-encoder's two networks, for inputs of any shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from raytune_nn.nn.layers import check_at_least
from raytune_nn.nn.mlp import MLP


class VAE(nn.Module):
    """Encoder and decoder, each a multi-layer perceptron, with a normal latent vector between them.

    Kingma & Welling 2014, "Auto-Encoding Variational Bayes", appendix C. `raytune_nn.nn.Autoencoding` trains it.

    Args:
        input_shape: Shape of one input, such as (1, 28, 28).
        latent_size: Numbers in a latent vector.
        depth: Hidden layers of the encoder, and of the decoder.
        width: Units of a hidden layer.
        activation: An activation as `raytune_nn.nn.MLP` takes it.
        norm: ``"none"``, ``"batch"`` or ``"layer"``, before each activation.

    Raises:
        ValueError: A size is too small, or a name is unknown.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        latent_size: int = 16,
        depth: int = 2,
        width: int = 256,
        activation: str = "relu",
        norm: str = "none",
    ) -> None:
        super().__init__()
        if not input_shape:
            raise ValueError("input_shape must have at least one dimension, but got none")
        for number, size in enumerate(input_shape):
            check_at_least(1, **{f"input_shape[{number}]": size})
        check_at_least(1, latent_size=latent_size)
        self.input_shape, self.latent_size = tuple(input_shape), latent_size
        features = math.prod(self.input_shape)
        self.encoder = MLP(features, 2 * latent_size, depth=depth, width=width, activation=activation, norm=norm)
        self.decoder = MLP(latent_size, features, depth=depth, width=width, activation=activation, norm=norm)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent vector given ``x``, each of shape (batch, latent_size).

        Raises:
            ValueError: The rows of ``x`` are not of ``input_shape``.
        """
        if x.shape[1:] != self.input_shape:
            raise ValueError(f"VAE wants inputs of shape (batch, *{self.input_shape}), but got {tuple(x.shape)}")
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """What the latent vectors stand for, shape (batch, *input_shape): logits or means, as the loss has it."""
        x: Tensor = self.decoder(z)
        return x.view(-1, *self.input_shape)

    def forward(self, x: Tensor) -> Tensor:
        """`decode` of the latent vector's mean given ``x``."""
        return self.decode(self.encode(x)[0])
