"""A multi-layer perceptron: the default network, for inputs of any shape."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from raytune_nn.nn.layers import Activation, activation_layer, check_at_least, dropout_layers, norm_layers


class MLP(nn.Module):
    """Hidden layers of equal width, each linear, norm, activation, dropout; then a linear output.

    Args:
        in_features: Numbers in one input once it is flattened.
        out_features: Numbers in one output, such as the classes of a classification.
        depth: Hidden layers; 0 leaves a linear model.
        width: Units of a hidden layer.
        activation: A name in `raytune_nn.nn.layers.ACTIVATIONS`, or a mapping of it and its parameters.
        dropout: Probability that a hidden unit is dropped in training, ``0 <= dropout < 1``.
        norm: ``"none"``, ``"batch"`` or ``"layer"``, before each activation.

    Raises:
        ValueError: A size is too small, or a name or a parameter of the activation is unknown.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        depth: int = 2,
        width: int = 128,
        activation: Activation = "relu",
        dropout: float = 0.0,
        norm: str = "none",
    ) -> None:
        super().__init__()
        check_at_least(1, in_features=in_features, out_features=out_features, width=width)
        check_at_least(0, depth=depth)
        self.in_features = in_features
        sizes = [in_features] + [width] * depth
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), *norm_layers(norm, fan_out)]
            layers += [activation_layer(activation), *dropout_layers(dropout)]
        layers.append(nn.Linear(sizes[-1], out_features))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (batch, *), with ``in_features`` numbers a row, to (batch, out_features).

        Raises:
            ValueError: A row of ``x`` has another number of numbers.
        """
        flat = x.flatten(1)
        if flat.shape[1] != self.in_features:
            raise ValueError(
                f"MLP wants rows of in_features={self.in_features} numbers, but got rows of {flat.shape[1]} "
                f"in an input of shape {tuple(x.shape)}"
            )
        y: Tensor = self.layers(flat)
        return y
