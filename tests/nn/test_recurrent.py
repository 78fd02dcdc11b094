"""Recurrent: the same as torch over packed sequences, padding without effect, pooling by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from network_checks import check_gradient_reaches_every_parameter, check_loss_falls, count_parameters
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from raytune_nn.nn import Recurrent
from raytune_nn.nn.recurrent import KINDS, POOLINGS

LENGTHS = torch.tensor([6, 2, 4])
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def features() -> Tensor:
    """Rows of 6, 2 and 4 real frames of 3 numbers, padded to 8 frames."""
    x = torch.randn(3, 8, 3)
    return x * (torch.arange(8) < LENGTHS[:, None]).unsqueeze(2)


def torchs_own(net: Recurrent, kind: str, layers: int, bidirectional: bool) -> nn.RNNBase:
    """Torch's stack of layers with the weights of the network."""
    hidden_size = net.head.in_features // (2 if bidirectional else 1)
    own = KINDS[kind](3, hidden_size, layers, batch_first=True, bidirectional=bidirectional)
    for number, layer in enumerate(net.layers):
        for name, part in layer.named_children():
            for key, weight in part.named_parameters():
                suffix = "_reverse" if name == "backwards" else ""
                getattr(own, key.replace("l0", f"l{number}") + suffix).data = weight.data
    return own


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_it_is_torchs_own_over_packed_sequences(kind: str, layers: int, bidirectional: bool, pooling: str) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {"kind": kind, "layers": layers, "bidirectional": bidirectional}
    net, x = Recurrent(5, in_features=3, hidden_size=4, pooling=pooling, **options), features()
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    steps, last = torchs_own(net, **options)(packed)
    if pooling == "mean":
        pooled = pad_packed_sequence(steps, batch_first=True)[0].sum(1) / LENGTHS[:, None]
    else:
        hidden = last[0] if kind == "lstm" else last
        pooled = torch.cat([hidden[-2], hidden[-1]], 1) if bidirectional else hidden[-1]
    assert torch.allclose(net(x), net.head(pooled), atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_nothing(pooling: str) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(1, 9, (3, 8)) * (torch.arange(8) < LENGTHS[:, None])
    for net, x in (
        (Recurrent(5, vocab_size=9, layers=2, hidden_size=4, pooling=pooling), tokens),
        (Recurrent(5, in_features=3, layers=2, hidden_size=4, pooling=pooling), features()),
    ):
        alone = torch.cat([net(row[None, :length]) for row, length in zip(x, LENGTHS, strict=True)])
        assert torch.allclose(net(x), alone, atol=1e-6)
        assert net(torch.zeros_like(x)).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_parameters_are_those_of_the_formula(kind: str) -> None:
    def one(fan_in: int) -> int:
        return GATES[kind] * (fan_in * 4 + 4 * 4 + 2 * 4)

    net = Recurrent(5, vocab_size=9, embedding_size=6, kind=kind, layers=2, hidden_size=4, pooling="attention")
    assert count_parameters(net) == 9 * 6 + 2 * one(6) + 2 * one(8) + 8 + (8 * 5 + 5)
    single = Recurrent(5, in_features=3, kind=kind, hidden_size=4, bidirectional=False)
    assert count_parameters(single) == one(3) + (4 * 5 + 5)


def test_dropout_stands_after_the_embedding_and_after_each_layer() -> None:
    net, dropped = Recurrent(5, vocab_size=9, layers=2, dropout=0.5), []
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda _, inputs, output: dropped.append((output == 0).float().mean().item()))
    net(torch.randint(1, 9, (64, 8)))
    assert dropped == [pytest.approx(0.5, abs=0.03)] * 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_learns_and_every_parameter_takes_part(kind: str, pooling: str) -> None:
    torch.manual_seed(0)
    x, y = torch.randint(1, 20, (24, 6)), torch.randint(3, (24,))
    net = Recurrent(3, vocab_size=20, embedding_size=16, kind=kind, layers=2, hidden_size=16, pooling=pooling)
    check_gradient_reaches_every_parameter(net, x)
    check_loss_falls(net, x, y, steps=25)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "qrnn"}, "kind must be one of rnn, lstm, gru, but got 'qrnn'"),
        ({"pooling": "max"}, "pooling must be one of last, mean, attention, but got 'max'"),
        ({"layers": 0}, "layers must be a whole number >= 1, but got 0"),
        ({"hidden_size": 0}, "hidden_size must be a whole number >= 1, but got 0"),
        ({"dropout": 1.0}, "0 <= dropout < 1 must hold, but got 1.0"),
        ({"in_features": 3}, "exactly one of vocab_size .* but got vocab_size=9, in_features=3"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recurrent(5, **{"vocab_size": 9} | arguments)
