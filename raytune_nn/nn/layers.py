"""What the built-in networks share: activations and normalisation by name, and the checks of their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

Activation = str | Mapping[str, Any]  # a name, or a mapping of it and its parameters

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "prelu": nn.PReLU,
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


def activation_layer(activation: Activation) -> nn.Module:
    """A new activation layer.

    Args:
        activation: A name in `ACTIVATIONS`, or a mapping with that ``name`` and parameters of torch's class, such
            as ``{name: leaky_relu, negative_slope: 0.1}``.

    Raises:
        ValueError: The name is not in `ACTIVATIONS`, or a parameter is not the activation's or not of its type.
    """
    parameters = {"name": activation} if isinstance(activation, str) else dict(activation)
    name = parameters.pop("name", "")
    check_one_of(ACTIVATIONS, activation=name)
    kind = ACTIVATIONS[name]
    known = {key: parameter.default for key, parameter in inspect.signature(kind).parameters.items()}
    known = {key: default for key, default in known.items() if key not in ("inplace", "device", "dtype")}
    for key, value in parameters.items():
        if key not in known:
            raise ValueError(f"a parameter of activation {name} must be one of {list(known)}, but got {key!r}")
        if type(value) is not type(known[key]) and not (isinstance(known[key], float) and type(value) is int):
            wanted = type(known[key]).__name__
            raise ValueError(f"{key} of activation {name} must be of type {wanted}, but got {value!r}")
    return kind(**parameters)


def norm_layers(name: str, width: int) -> list[nn.Module]:
    """The normalisation of this name over ``width`` features: one layer, or none for ``"none"``.

    Raises:
        ValueError: The name is not in `NORMS`.
    """
    check_one_of(NORMS, norm=name)
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


def check_one_of(names: Collection[str], **arguments: str) -> None:
    """Check that every named argument is one of ``names``.

    Raises:
        ValueError: One of them is not; the message names it and its value.
    """
    for argument, value in arguments.items():
        if value not in names:
            raise ValueError(f"{argument} must be one of {', '.join(names)}, but got {value!r}")


def check_odd(kernel_size: int) -> None:
    """Check that a kernel has a middle, so that padding keeps the size of what it runs over.

    Raises:
        ValueError: ``kernel_size`` is even, or no whole number >= 1.
    """
    check_at_least(1, kernel_size=kernel_size)
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, but got {kernel_size}")
