"""The layers of any module in a few groups, from its input to its output."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn
from torch.nn import Parameter

MOST_GROUPS = 4
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Sigmoid, nn.Tanh, nn.Hardsigmoid, nn.Hardtanh, nn.Hardswish, nn.Softplus, nn.Softsign),
)


@dataclass
class LayerGroup:
    """Layers that follow each other."""

    parameters: list[Parameter] = field(default_factory=list)
    units: list[nn.Module] = field(default_factory=list)  # whose output is the answer of hidden units


def layer_groups(module: nn.Module, most: int = MOST_GROUPS) -> list[LayerGroup]:
    """Groups as even as can be, in the order in which the module holds its layers.

    A layer is a module with a parameter of two dimensions or more, and what follows until the next one: its norm and
    its activation. A parameter that several layers share is the first one's.

    Args:
        most: Groups at most.
    """
    layers: list[LayerGroup] = []
    known: set[int] = set()
    for part in module.modules():
        own = [p for p in part.parameters(recurse=False) if id(p) not in known]
        known.update(map(id, own))
        if not layers or any(p.dim() > 1 for p in own):
            layers.append(LayerGroup())
        layers[-1].parameters += own
        if isinstance(part, (*ACTIVATIONS, nn.RNNBase)):
            layers[-1].units.append(part)
    return _joined(_with_parameters(layers), most)


def _with_parameters(layers: Sequence[LayerGroup]) -> list[LayerGroup]:
    """Without those that hold none: an activation before the first layer is none of ours."""
    return [layer for layer in layers if any(p.dim() > 1 for p in layer.parameters)]


def _joined(layers: Sequence[LayerGroup], most: int) -> list[LayerGroup]:
    """Neighbours together, so that there are at most so many."""
    count = min(most, len(layers))
    bounds = [round(place * len(layers) / count) for place in range(count + 1)] if count else []
    groups = []
    for low, high in itertools.pairwise(bounds):
        parts = layers[low:high]
        parameters = [p for part in parts for p in part.parameters]
        groups.append(LayerGroup(parameters, [unit for part in parts for unit in part.units]))
    return groups
