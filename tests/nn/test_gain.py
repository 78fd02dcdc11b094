"""Gain: torch's numbers, the rule for all others, and which activation comes after which layer."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from raytune_nn.nn import CNN, MLP
from raytune_nn.nn.gain import activation_gain, gains_by_layer


def after(module: nn.Module) -> list[float]:
    """The gains of the layers in the order of the module."""
    gains = gains_by_layer(module)
    return [gains[part] for part in module.modules() if part in gains]


@pytest.mark.parametrize(
    ("activation", "gain"),
    [
        (nn.ReLU(), math.sqrt(2)),
        (nn.Tanh(), 5 / 3),
        (nn.Sigmoid(), 1.0),
        (nn.SELU(), 0.75),
        (nn.LeakyReLU(0.3), math.sqrt(2 / (1 + 0.3**2))),
        (nn.PReLU(4, init=0.5), math.sqrt(2 / (1 + 0.5**2))),
        (nn.Identity(), 1.0),
        (nn.Threshold(0.0, 0.0), math.sqrt(2)),  # ReLU by another name
        (torch.relu, math.sqrt(2)),
    ],
    ids=str,
)
def test_gains_that_are_known_in_closed_form(activation: nn.Module, gain: float) -> None:
    assert activation_gain(activation) == pytest.approx(gain, rel=1e-3)


@pytest.mark.parametrize("kind", [nn.GELU, nn.SiLU, nn.Mish, nn.ELU, nn.Softplus, nn.RReLU])
def test_the_other_gains_keep_the_second_moment_of_a_normal(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    activation = kind()
    z = torch.randn(1_000_000, dtype=torch.float64)
    scaled = activation_gain(activation) * activation.eval()(z)
    assert scaled.square().mean().item() == pytest.approx(1.0, abs=0.01)


def test_asking_for_a_gain_changes_nothing() -> None:
    activation = nn.RReLU().train()
    state = torch.get_rng_state()
    activation_gain(activation)
    assert activation.training
    assert torch.equal(torch.get_rng_state(), state)


def test_norms_and_dropout_stand_between_a_layer_and_its_activation() -> None:
    net = MLP(4, 3, depth=2, width=8, activation="tanh", dropout=0.5, norm="layer")
    assert after(net) == pytest.approx([5 / 3, 5 / 3, 1.0])


def test_a_layer_without_an_activation_has_gain_one() -> None:
    assert after(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))) == pytest.approx(
        [1.0, math.sqrt(2), 1.0]
    )


def test_convolutions_have_the_gain_of_their_activation() -> None:
    gains = gains_by_layer(CNN(1, 10, channels=4, blocks=2, activation="relu"))
    convolutions = [gain for layer, gain in gains.items() if isinstance(layer, nn.Conv2d)]
    assert convolutions == pytest.approx([math.sqrt(2)] * len(convolutions))
    assert len(convolutions) >= 3
    assert [gain for layer, gain in gains.items() if isinstance(layer, nn.Linear)] == [1.0]


def test_an_activation_that_is_used_twice_counts_twice() -> None:
    relu = nn.ReLU()
    assert after(nn.Sequential(nn.Linear(2, 2), relu, nn.Linear(2, 2), relu)) == pytest.approx([math.sqrt(2)] * 2)


def test_a_softmax_is_no_activation_of_one_number() -> None:
    assert after(nn.Sequential(nn.Linear(2, 2), nn.Softmax(1))) == [1.0]


@pytest.mark.parametrize("activation", ["relu", nn.ReLU()])
def test_a_transformers_activation_stands_between_its_two_layers(activation: str | nn.Module) -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 8, activation=activation)
    gains = gains_by_layer(nn.Sequential(layer, nn.Linear(4, 4), nn.Tanh()))
    assert gains[layer.linear1] == pytest.approx(math.sqrt(2))
    assert gains[layer.linear2] == gains[layer.self_attn.out_proj] == 1.0
