"""Activations with their parameters, norms, and the checks of arguments."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raytune_nn.nn.layers import (
    ACTIVATIONS,
    NORMS,
    activation_layer,
    check_at_least,
    check_odd,
    check_one_of,
    dropout_layers,
    norm_layers,
)

X = torch.linspace(-3, 3, 13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_name_and_a_mapping_of_it_alone_are_torchs_defaults(name: str) -> None:
    expected = ACTIVATIONS[name]()(X)
    assert torch.equal(activation_layer(name)(X), expected)
    assert torch.equal(activation_layer({"name": name})(X), expected)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ({"name": "leaky_relu", "negative_slope": 0.3}, torch.where(X > 0, X, 0.3 * X)),
        ({"name": "leaky_relu", "negative_slope": 1}, X),
        ({"name": "elu", "alpha": 2.0}, torch.where(X > 0, X, 2 * (X.exp() - 1))),
        ({"name": "prelu", "init": 0.1}, torch.where(X > 0, X, 0.1 * X)),
        ({"name": "gelu", "approximate": "tanh"}, F.gelu(X, approximate="tanh")),
    ],
)
def test_parameters_reach_the_activation(activation: dict[str, Any], expected: Tensor) -> None:
    assert torch.allclose(activation_layer(activation)(X), expected, atol=1e-6)


def test_a_mapping_is_not_changed() -> None:
    activation = {"name": "elu", "alpha": 2.0}
    activation_layer(activation)
    assert activation == {"name": "elu", "alpha": 2.0}


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ("rellu", "activation must be one of elu, .*relu.*, but got 'rellu'"),
        ({"negative_slope": 0.1}, "activation must be one of .*, but got ''"),
        ({"name": "leaky_relu", "slope": 0.1}, r"leaky_relu must be one of \['negative_slope'\], but got 'slope'"),
        ({"name": "relu", "inplace": True}, r"relu must be one of \[\], but got 'inplace'"),
        ({"name": "elu", "alpha": "big"}, "alpha of activation elu must be of type float, but got 'big'"),
        ({"name": "elu", "alpha": True}, "alpha of activation elu must be of type float, but got True"),
        ({"name": "prelu", "num_parameters": 1.5}, "num_parameters .* must be of type int, but got 1.5"),
    ],
)
def test_a_bad_activation_is_refused(activation: str | dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        activation_layer(activation)


def test_norms_by_name() -> None:
    assert norm_layers("none", 4) == []
    for name in ("batch", "layer"):
        (layer,) = norm_layers(name, 4)
        assert type(layer) is NORMS[name]
        y = layer(torch.randn(50, 4) * 9 + 5)
        assert torch.allclose(y.mean(0 if name == "batch" else 1), torch.zeros(()), atol=1e-5)
    with pytest.raises(ValueError, match="norm must be one of none, batch, layer, but got 'group'"):
        norm_layers("group", 4)


def test_dropout_is_no_layer_for_zero_and_a_share_otherwise() -> None:
    assert dropout_layers(0.0) == []
    (layer,) = dropout_layers(0.25)
    assert isinstance(layer, nn.Dropout)
    torch.manual_seed(0)
    dropped = (layer(torch.ones(100_000)) == 0).float().mean()
    assert abs(dropped - 0.25) < 0.006  # four standard deviations
    for p in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="0 <= dropout < 1 must hold, but got"):
            dropout_layers(p)


def test_checks_of_sizes_and_names() -> None:
    check_at_least(1, width=1)
    check_odd(5)
    check_one_of(("a", "b"), letter="b")
    with pytest.raises(ValueError, match="width must be a whole number >= 1, but got 0"):
        check_at_least(1, depth=1, width=0)
    with pytest.raises(ValueError, match="kernel_size must be odd, but got 2"):
        check_odd(2)
    with pytest.raises(ValueError, match="kernel_size must be a whole number >= 1, but got -1"):
        check_odd(-1)
    with pytest.raises(ValueError, match="letter must be one of a, b, but got 'c'"):
        check_one_of(("a", "b"), letter="c")
