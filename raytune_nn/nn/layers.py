"""What the built-in networks share: activations and normalisation by name, and the checks of sizes."""

from __future__ import annotations

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}

NORMS: dict[str, type[nn.BatchNorm1d] | type[nn.LayerNorm] | None] = {
    "none": None,
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}


def activation_layer(name: str) -> nn.Module:
    """A new activation of this name.

    Raises:
        ValueError: The name is not in `ACTIVATIONS`.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, but got {name!r}")
    return ACTIVATIONS[name]()


def norm_layers(name: str, width: int) -> list[nn.Module]:
    """The normalisation of this name over ``width`` features: one layer, or none for ``"none"``.

    Raises:
        ValueError: The name is not in `NORMS`.
    """
    if name not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(NORMS)}, but got {name!r}")
    kind = NORMS[name]
    return [] if kind is None else [kind(width)]


def dropout_layers(p: float) -> list[nn.Module]:
    """Dropout with probability ``p``: no layer at all for 0, which would only cost time.

    Raises:
        ValueError: ``0 <= p < 1`` does not hold.
    """
    if not 0 <= p < 1:
        raise ValueError(f"0 <= dropout < 1 must hold, but got {p!r}")
    return [nn.Dropout(p)] if p else []


def check_at_least(minimum: int, **sizes: int) -> None:
    """Check that every named size is a whole number of at least ``minimum``.

    Raises:
        ValueError: One of them is not; the message names it and its value.
    """
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < minimum:
            raise ValueError(f"{name} must be a whole number >= {minimum}, but got {size!r}")
