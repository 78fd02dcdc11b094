"""Transformer: padding without effect, positions by their formula, evaluation the same as training."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from network_checks import check_gradient_reaches_every_parameter, check_loss_falls, count_parameters
from torch import Tensor

from raytune_nn.nn import Transformer
from raytune_nn.nn.layers import ACTIVATIONS
from raytune_nn.nn.transformer import POOLINGS, POSITIONS, sinusoids

LENGTHS = torch.tensor([6, 2, 4])


def transformer(**options: Any) -> Transformer:
    torch.manual_seed(0)
    small = {"max_length": 8, "vocab_size": 20, "layers": 2, "width": 16, "heads": 2, "dropout": 0.0}
    return Transformer(5, **small | options)


def tokens() -> Tensor:
    """Rows of 6, 2 and 4 real tokens, padded to 8."""
    return torch.randint(1, 20, (3, 8)) * (torch.arange(8) < LENGTHS[:, None])


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_padding_changes_nothing(pooling: str, pre_norm: bool, training: bool) -> None:
    options: dict[str, Any] = {"pooling": pooling, "pre_norm": pre_norm}
    features = torch.randn(3, 8, 3) * (torch.arange(8) < LENGTHS[:, None]).unsqueeze(2)
    for net, x in (
        (transformer(**options), tokens()),
        (transformer(vocab_size=None, in_features=3, **options), features),
    ):
        with torch.set_grad_enabled(training):  # torch has another implementation for evaluation
            net.train(training)
            alone = torch.cat([net(row[None, :length]) for row, length in zip(x, LENGTHS, strict=True)])
            assert torch.allclose(net(x), alone, atol=1e-5)
            assert net(torch.zeros_like(x)).isfinite().all()


@pytest.mark.parametrize(
    "activation", [*ACTIVATIONS, {"name": "gelu", "approximate": "tanh"}, {"name": "leaky_relu", "negative_slope": 0.5}]
)
def test_evaluation_gives_what_training_gives_without_dropout(activation: str | dict[str, Any]) -> None:
    net, x = transformer(activation=activation), tokens()
    for layer in net.layers:
        layer.linear1.weight.data *= 8  # type: ignore[union-attr,operator]  # far out two forms of GELU differ more
    expected = net.train()(x)
    with torch.no_grad():
        assert torch.allclose(net.eval()(x), expected, atol=2e-6)


def test_without_positions_the_order_would_not_matter() -> None:
    net, x = transformer(), torch.randint(1, 20, (3, 8))
    assert not torch.allclose(net(x), net(x.flip(1)), atol=1e-4)
    net.positions.data.zero_()
    assert torch.allclose(net(x), net(x.flip(1)), atol=1e-5)


def test_sinusoids_are_those_of_the_formula() -> None:
    table = sinusoids(50, 6)
    assert table.shape == (50, 6)
    for position, pair in ((0, 0), (7, 1), (49, 2)):
        angle = position / 10_000 ** (2 * pair / 6)
        expected = torch.tensor([math.sin(angle), math.cos(angle)])
        assert torch.allclose(table[position, 2 * pair : 2 * pair + 2], expected, atol=1e-5)


def test_the_layers_begin_with_different_weights() -> None:
    first, second = transformer().layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)  # type: ignore[union-attr,arg-type]


def test_the_parameters_are_those_of_the_formula() -> None:
    attention, feed_forward = 4 * (16 * 16 + 16), (16 * 48 + 48) + (48 * 16 + 16)
    layers = 2 * (attention + feed_forward + 2 * 2 * 16)
    ends = 20 * 16 + 2 * 16 + (16 * 5 + 5)  # embedding, last norm, output
    plain = {"feed_forward_factor": 3, "positions": "sinusoidal"}
    assert count_parameters(transformer(**plain)) == layers + ends
    assert count_parameters(transformer(**plain, pre_norm=False)) == layers + ends - 2 * 16
    assert count_parameters(transformer(feed_forward_factor=3)) == layers + ends + 8 * 16
    assert count_parameters(transformer(**plain, pooling="cls")) == layers + ends + 16
    assert count_parameters(transformer(**plain, pooling="attention")) == layers + ends + 16


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_learns_and_every_parameter_takes_part(positions: str, pooling: str) -> None:
    net = transformer(positions=positions, pooling=pooling)
    x, y = torch.randint(1, 20, (24, 8)), torch.randint(3, (24,))
    check_gradient_reaches_every_parameter(net, x)
    check_loss_falls(net, x, y, steps=25)


def test_dropout_acts_in_training_only() -> None:
    net, x = transformer(dropout=0.5), tokens()
    assert not torch.allclose(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


def test_an_input_longer_than_max_length_is_refused_even_where_it_is_padding() -> None:
    with pytest.raises(ValueError, match=r"at most max_length=8 steps, but got \(2, 9\)"):
        transformer()(torch.zeros(2, 9, dtype=torch.int64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 15}, "width must be a multiple of heads, but got width=15, heads=2"),
        ({"width": 15, "heads": 3, "positions": "sinusoidal"}, "want an even width, but got 15"),
        ({"positions": "rotary"}, "positions must be one of learned, sinusoidal, but got 'rotary'"),
        ({"pooling": "last"}, "pooling must be one of mean, attention, cls, but got 'last'"),
        ({"layers": 0}, "layers must be a whole number >= 1, but got 0"),
        ({"max_length": 0}, "max_length must be a whole number >= 1, but got 0"),
        ({"feed_forward_factor": 0}, "feed_forward_factor must be a whole number >= 1, but got 0"),
        ({"dropout": 1.0}, "0 <= dropout < 1 must hold, but got 1.0"),
        ({"activation": {"name": "elu", "beta": 1.0}}, "activation elu must be one of .*, but got 'beta'"),
        ({"vocab_size": None}, "exactly one of vocab_size .* but got vocab_size=None, in_features=None"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        transformer(**arguments)
