"""MLP: shapes, layers, and the messages for bad arguments."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from network_checks import check_gradient_reaches_every_parameter, check_loss_falls, count_parameters
from torch import nn

from raytune_nn.nn import MLP
from raytune_nn.nn.layers import ACTIVATIONS


def kinds(net: MLP) -> list[str]:
    return [type(layer).__name__ for layer in net.layers]


@pytest.mark.parametrize("shape", [(12,), (3, 4), (3, 2, 2)])
def test_inputs_of_any_shape_are_flattened(shape: tuple[int, ...]) -> None:
    assert MLP(12, 5)(torch.rand(7, *shape)).shape == (7, 5)


def test_the_layers_stand_in_the_promised_order() -> None:
    net = MLP(4, 3, depth=2, width=8, dropout=0.5, norm="layer")
    hidden = ["Linear", "LayerNorm", "ReLU", "Dropout"]
    assert kinds(net) == [*hidden, *hidden, "Linear"]
    assert [layer.out_features for layer in net.layers if isinstance(layer, nn.Linear)] == [8, 8, 3]


def test_what_is_off_costs_no_layer() -> None:
    assert kinds(MLP(4, 3, depth=1)) == ["Linear", "ReLU", "Linear"]


def test_depth_zero_is_a_linear_model() -> None:
    assert kinds(MLP(4, 3, depth=0)) == ["Linear"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_nonlinear_and_finite(name: str) -> None:
    torch.manual_seed(0)
    net, x = MLP(4, 3, activation=name), torch.randn(5, 4)
    assert net(x).isfinite().all()
    assert not torch.allclose(net(x) + net(-x), 2 * net(torch.zeros(5, 4)), atol=1e-6)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_norm_undoes_the_scale_of_its_input(norm: str) -> None:
    torch.manual_seed(0)
    net, x = MLP(4, 3, depth=1, norm=norm), torch.randn(64, 4)
    net.layers[0].bias.data.zero_()  # type: ignore[operator]
    assert torch.allclose(net(x), net(1000 * x), atol=1e-2)


def test_parameters_of_the_activation_reach_every_layer() -> None:
    net = MLP(4, 3, depth=2, activation={"name": "leaky_relu", "negative_slope": 0.3})
    assert [layer.negative_slope for layer in net.layers if isinstance(layer, nn.LeakyReLU)] == [0.3, 0.3]


def test_the_parameters_are_those_of_the_formula() -> None:
    assert count_parameters(MLP(4, 3, depth=2, width=8)) == (4 * 8 + 8) + (8 * 8 + 8) + (8 * 3 + 3)
    assert count_parameters(MLP(4, 3, depth=1, width=8, norm="layer")) == (4 * 8 + 8) + 2 * 8 + (8 * 3 + 3)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_it_learns_and_every_parameter_takes_part(norm: str) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(32, 4), torch.randint(3, (32,))
    if norm == "none":  # a norm hides the bias in front of it
        check_gradient_reaches_every_parameter(MLP(4, 3, activation={"name": "prelu"}), x)
    check_loss_falls(MLP(4, 3, norm=norm), x, y, steps=40)


def test_rows_of_another_size_are_refused_with_their_shape() -> None:
    with pytest.raises(ValueError, match=r"rows of in_features=4 numbers, but got rows of 6 .* shape \(7, 2, 3\)"):
        MLP(4, 3)(torch.rand(7, 2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": -1}, "depth must be a whole number >= 0, but got -1"),
        ({"width": 0}, "width must be a whole number >= 1, but got 0"),
        ({"width": 2.5}, "width must be a whole number >= 1, but got 2.5"),
        ({"in_features": True}, "in_features must be a whole number >= 1, but got True"),
        ({"dropout": 1.0}, "0 <= dropout < 1 must hold, but got 1.0"),
        ({"activation": "rellu"}, "activation must be one of .*relu.*, but got 'rellu'"),
        ({"activation": {"name": "relu", "slope": 1}}, "activation relu must be one of .*, but got 'slope'"),
        ({"norm": "group"}, "norm must be one of none, batch, layer, but got 'group'"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLP(**{"in_features": 4, "out_features": 3} | arguments)
