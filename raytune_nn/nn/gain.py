"""The gain that keeps the size of signals: what an activation takes away, the weights before it put back."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

# Torch's own numbers (torch.nn.init.calculate_gain).
KNOWN: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.SELU: "selu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}

# They stand among torch's activations, and are no function of one number.
NO_ACTIVATIONS = (nn.GLU, nn.MultiheadAttention, nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax)


def gains_by_layer(module: nn.Module) -> dict[nn.Module, float]:
    """The gain of each layer with weights: that of the activation that comes after it, 1 where none does.

    What comes after is known from the order in which a module names its parts: the order of the calls in any
    ``Sequential``, and in most modules. Only torch's own activations are seen; norms, dropout and the like are
    passed over, and another layer with weights ends the search.
    """
    gains: dict[nn.Module, float] = {}
    after = 1.0
    # A part that stands in several places (an activation, a tied layer) counts in each; the first sets the gain.
    for _, part in reversed(list(module.named_modules(remove_duplicate=False))):
        if is_activation(part):
            after = activation_gain(part)
        elif any(parameter.dim() > 1 for parameter in part.parameters(recurse=False)):
            gains[part], after = after, 1.0
    for part in module.modules():
        # These two call their activation between the layers, and name it last, or hold it as a function.
        if isinstance(part, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            gains[part.linear1], gains[part.linear2] = activation_gain(part.activation), 1.0
    return gains


def is_activation(module: nn.Module) -> bool:
    """Whether it is one of torch's activations that work on each number by itself."""
    return type(module).__module__ == nn.ReLU.__module__ and not isinstance(module, NO_ACTIVATIONS)


def activation_gain(activation: nn.Module | Callable[[Tensor], Tensor]) -> float:
    """The gain for weights before this activation.

    Torch's number where ``torch.nn.init.calculate_gain`` has one. For any other (GELU, SiLU, Mish, ELU, …) the
    rule behind the number of ReLU: ``1 / sqrt(E[f(z)²])`` for a standard normal ``z``, which keeps the second
    moment (He et al. 2015, "Delving Deep into Rectifiers", section 2.2).

    Args:
        activation: A module or a function that works on each number by itself.
    """
    if type(activation) in KNOWN:
        return float(nn.init.calculate_gain(KNOWN[type(activation)]))  # type: ignore[index, arg-type]
    if isinstance(activation, nn.LeakyReLU):
        return nn.init.calculate_gain("leaky_relu", activation.negative_slope)
    if isinstance(activation, nn.PReLU):  # its slopes are parameters, one a channel
        return nn.init.calculate_gain("leaky_relu", activation.weight.detach().mean().item())
    if isinstance(activation, nn.Module):
        activation = copy.deepcopy(activation).eval()  # RReLU draws its slope in training
    z, density = _normal()
    with torch.no_grad():
        moment = (density * activation(z.clone()).square()).sum().item()
    return 1 / math.sqrt(moment) if moment > 0 else 1.0


@functools.cache
def _normal() -> tuple[Tensor, Tensor]:
    """Points that cover a standard normal, and their shares of it; double precision, a thousandth apart."""
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2)
    return z, density / density.sum()
