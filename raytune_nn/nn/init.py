"""Initialisation of any module: one scheme for all weights, one for all biases.

Weights are the matrices of linear, convolution, recurrent, attention and embedding layers, and any other
parameter of two or more dimensions whose name ends in ``weight``; biases are named likewise. All else stays
as it is: norms, positions, tokens, parametrised weights. A tied weight is drawn once. What stacks several
maps (the gates of an LSTM or GRU, the projections of an attention, the groups of a convolution) is drawn map
by map. An embedding looks up one row, so its fan-in is 1; ``orthogonal`` and ``sparse``, which speak of whole
matrices, leave it alone, and its padding row stays zero.

Schemes of weights, with std for the standard deviation and ``U(-a, a)`` for the uniform distribution:

* ``default``: what the layers drew when they were made
* ``zeros``; ``normal``: std ``std``; ``uniform``: ``U(-bound, bound)``
* ``xavier_normal``: std ``gain * sqrt(2 / (fan_in + fan_out))``; ``xavier_uniform``: uniform, the same std
  (Glorot & Bengio 2010, "Understanding the Difficulty of Training Deep Feedforward Neural Networks")
* ``kaiming_normal``: std ``gain / sqrt(fan)``; ``kaiming_uniform``: uniform, the same std (He et al. 2015,
  "Delving Deep into Rectifiers")
* ``orthogonal``: ``gain`` times a matrix with orthonormal rows, or columns where it has more rows (Saxe et
  al. 2014, "Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks")
* ``sparse``: std ``std``, then the share ``sparsity`` of each unit's inputs is cut off (Martens 2010, "Deep
  Learning via Hessian-free Optimization", section 5)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.parameter import is_lazy

from raytune_nn.nn.gain import activation_gain, gains_by_layer

WEIGHTS = (
    "default",
    "zeros",
    "normal",
    "uniform",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "orthogonal",
    "sparse",
)
BIASES = ("default", "zeros", "constant")
FANS = ("fan_in", "fan_out")
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def initialise(
    module: nn.Module,
    weights: str = "default",
    biases: str = "default",
    gain: float | str = "auto",
    fan: str = "fan_in",
    std: float = 0.05,
    bound: float = 0.1,
    sparsity: float = 0.9,
    bias: float = 0.0,
) -> None:
    """Sets all weights and biases of a module in place, drawn from torch's global generator.

    Args:
        module: Any module; its parameters have their shapes already.
        weights: A scheme of `WEIGHTS`.
        biases: ``"default"``, ``"zeros"``, or ``"constant"``, which is ``bias``.
        gain: ``"auto"`` is, for each layer, that of the activation after it (`raytune_nn.nn.gain`); a number is
            for all layers. A recurrent layer's input weights take that of their gate's activation, and its
            hidden weights, which are applied at every step, 1.
        fan: ``"fan_in"`` keeps the size of signals and ``"fan_out"`` that of gradients, for the Kaiming schemes.
        std: Standard deviation for ``normal`` and ``sparse``.
        bound: Largest absolute value for ``uniform``.
        sparsity: Share of zeros for ``sparse``, ``0 <= sparsity < 1``.
        bias: Value for ``constant``.

    Raises:
        ValueError: A name is unknown, a number is out of bounds, or a parameter has no shape or values yet.
    """
    scheme = _Scheme(weights, gain, fan, std, bound, sparsity)
    if biases not in BIASES:
        raise ValueError(f"biases must be one of {', '.join(BIASES)}, but got {biases!r}")
    if not math.isfinite(bias):
        raise ValueError(f"bias must be finite, but got {bias}")
    _check_parameters(module)
    gains = gains_by_layer(module)
    done: set[nn.Parameter] = set()
    for layer in module.modules():
        for name, parameter in layer.named_parameters(recurse=False):
            if isinstance(layer, NORMS) or parameter in done:
                continue
            done.add(parameter)
            if _is_bias(layer, name):
                if biases != "default":
                    nn.init.constant_(parameter, bias if biases == "constant" else 0.0)
            else:
                with torch.no_grad():
                    for part in _maps(layer, name, parameter, gains.get(layer, 1.0)):
                        scheme.draw(part)
                    _clear_padding(layer, weights)


@dataclass(frozen=True)
class _Map:
    """One linear map: a view of a weight, its first dimension the units that it feeds."""

    weight: Tensor
    fan_in: int
    fan_out: int
    gain: float
    lookup: bool = False


@dataclass(frozen=True)
class _Scheme:
    weights: str
    gain: float | str
    fan: str
    std: float
    bound: float
    sparsity: float

    def __post_init__(self) -> None:
        for name, value, known in (("weights", self.weights, WEIGHTS), ("fan", self.fan, FANS)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, but got {value!r}")
        positive = {"std": self.std, "bound": self.bound}
        if self.gain != "auto":
            if isinstance(self.gain, str):
                raise ValueError(f"gain must be auto or a number, but got {self.gain!r}")
            positive["gain"] = self.gain
        for name, number in positive.items():
            if not 0 < number < math.inf:
                raise ValueError(f"{name} > 0 must hold, but got {number}")
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"0 <= sparsity < 1 must hold, but got {self.sparsity}")

    def draw(self, part: _Map) -> None:
        """Draw one map in place."""
        weight = part.weight
        gain = part.gain if isinstance(self.gain, str) else self.gain
        match self.weights:
            case "zeros":
                weight.zero_()
            case "normal":
                weight.normal_(0, self.std)
            case "uniform":
                weight.uniform_(-self.bound, self.bound)
            case "xavier_normal" | "xavier_uniform":
                self._spread(weight, gain * math.sqrt(2 / (part.fan_in + part.fan_out)))
            case "kaiming_normal" | "kaiming_uniform":
                self._spread(weight, gain / math.sqrt(part.fan_in if self.fan == "fan_in" else part.fan_out))
            case "orthogonal" if not part.lookup:
                nn.init.orthogonal_(weight, gain)
            case "sparse" if not part.lookup:
                # Torch cuts the rows of each column, and a unit's inputs stand in its row.
                columns = nn.init.sparse_(weight.new_empty(weight[0].numel(), len(weight)), self.sparsity, self.std)
                weight.copy_(columns.T.view_as(weight))

    def _spread(self, weight: Tensor, std: float) -> None:
        if self.weights.endswith("uniform"):
            weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)
        else:
            weight.normal_(0, std)


def _maps(layer: nn.Module, name: str, weight: Tensor, gain: float) -> Iterator[_Map]:
    """The maps that a parameter stacks along its first dimension; none where it is no weight."""
    if isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
        gates = _gates(layer) if "_hr" not in name else [1.0]  # an LSTM's projection has no gates
        for block, gate in zip(weight.chunk(len(gates)), gates, strict=True):
            yield _Map(block, weight.shape[1], len(block), gate if "_ih" in name else 1.0)
    elif weight.dim() < 2 or not name.endswith("weight"):
        return
    elif isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        yield _Map(weight, 1, weight.shape[1], 1.0, lookup=True)
    elif isinstance(layer, nn.MultiheadAttention):
        for block in weight.chunk(3 if name == "in_proj_weight" else 1):
            yield _Map(block, weight.shape[1], len(block), 1.0)
    else:
        groups = getattr(layer, "groups", 1)
        area = weight[0, 0].numel()
        for block in weight.chunk(groups):
            # A transposed convolution keeps its inputs first.
            columns, rows = block.shape[1] * area, len(block) * area
            fan_in, fan_out = (rows, columns) if isinstance(layer, _ConvTransposeNd) else (columns, rows)
            yield _Map(block, fan_in, fan_out, gain)


def _gates(layer: nn.RNNBase | nn.RNNCellBase) -> list[float]:
    """The gain of each gate's activation, in the order in which torch stacks the gates."""
    sigmoid, tanh = activation_gain(nn.Sigmoid()), activation_gain(nn.Tanh())
    if isinstance(layer, (nn.LSTM, nn.LSTMCell)):
        return [sigmoid, sigmoid, tanh, sigmoid]  # input, forget, cell, output
    if isinstance(layer, (nn.GRU, nn.GRUCell)):
        return [sigmoid, sigmoid, tanh]  # reset, update, new
    return [activation_gain(nn.ReLU()) if layer.nonlinearity == "relu" else tanh]


def _is_bias(layer: nn.Module, name: str) -> bool:
    # An attention's bias_k and bias_v are no biases of a map, but one more key and value.
    recurrent = isinstance(layer, (nn.RNNBase, nn.RNNCellBase))
    return name.startswith("bias") if recurrent else name.endswith("bias")


def _clear_padding(layer: nn.Module, weights: str) -> None:
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)) and layer.padding_idx is not None and weights != "default":
        layer.weight[layer.padding_idx] = 0


def _check_parameters(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if is_lazy(parameter):
            raise ValueError(f"{name} has no shape yet: run the lazy module once on a batch before it is initialised")
        if parameter.is_meta:
            raise ValueError(f"{name} is on the meta device, where no values are: move the module with to_empty first")
