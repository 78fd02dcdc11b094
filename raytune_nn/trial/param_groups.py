"""Groups of parameters that the optimizer treats differently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from torch.nn import Module, Parameter

NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)


@dataclass(frozen=True)
class Group:
    """Parameters that are treated alike."""

    params: list[Parameter]
    lr_scale: float  # times the optimizer's learning rate
    decays: bool  # whether the optimizer's weight decay holds


def group_parameters(model: Module, decay_norms_and_biases: bool, layer_decay: float) -> list[Group]:
    """Sorts the parameters that are trained; groups and what is in them stand in the model's own order.

    A layer is a module that owns parameters directly, frozen ones included, and layers follow one another in the
    order of ``model.modules()``. The last layer has the optimizer's learning rate, and each one before it that of
    the layer after it times ``layer_decay`` (Howard & Ruder 2018, "Universal Language Model Fine-tuning", section 3.2,
    with a layer in place of their group of layers). A parameter that several modules share belongs to the first.

    Args:
        decay_norms_and_biases: If false, weight decay spares the parameters of torch's norms, and every parameter of
            fewer than two dimensions. Embeddings decay.
        layer_decay: ``0 < layer_decay <= 1``; 1 gives all layers the same rate.

    Raises:
        ValueError: ``layer_decay`` is out of bounds.
    """
    if not 0 < layer_decay <= 1:
        raise ValueError(f"0 < layer_decay <= 1 must hold, but got {layer_decay}")
    layers = list(_layers(model))
    groups: dict[tuple[float, bool], list[Parameter]] = {}
    for index, (module, parameters) in enumerate(layers):
        scale = layer_decay ** (len(layers) - 1 - index)
        for parameter in parameters:
            decays = decay_norms_and_biases or not (isinstance(module, NORMS) or parameter.dim() < 2)
            if parameter.requires_grad:
                groups.setdefault((scale, decays), []).append(parameter)
    return [Group(params, scale, decays) for (scale, decays), params in groups.items()]


def _layers(model: Module) -> Iterator[tuple[Module, list[Parameter]]]:
    """Modules with the parameters that they own and no module before them does."""
    seen: set[int] = set()
    for module in model.modules():
        owned = [parameter for parameter in module.parameters(recurse=False) if id(parameter) not in seen]
        seen.update(map(id, owned))
        if owned:
            yield module, owned
