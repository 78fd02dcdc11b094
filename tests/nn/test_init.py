"""Initialisation: each scheme against its definition, for every kind of layer that holds weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raytune_nn.nn import CNN, MLP, Classification
from raytune_nn.nn.init import BIASES, WEIGHTS, initialise

IN, OUT = 400, 300  # 120,000 numbers: their std has a standard error of 0.2%, their kurtosis one of 0.014
SQRT2 = math.sqrt(2)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def check_normal(weight: Tensor, std: float) -> None:
    """A normal distribution around 0: mean, standard deviation and fourth moment are its own."""
    w = weight.detach().double()
    assert abs(w.mean().item()) < 5 * std / math.sqrt(w.numel())
    assert w.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * w.numel()))
    assert (w / std).pow(4).mean().item() == pytest.approx(3.0, abs=5 * math.sqrt(96 / w.numel()))


def check_uniform(weight: Tensor, bound: float) -> None:
    """A uniform distribution around 0: it reaches its bounds, keeps them, and has its moments."""
    w = weight.detach().double()
    assert bound * 0.99 < w.abs().max().item() <= bound * (1 + 1e-6)
    assert abs(w.mean().item()) < 5 * bound / math.sqrt(3 * w.numel())
    assert w.std().item() == pytest.approx(bound / math.sqrt(3), rel=5 * math.sqrt(0.2 / w.numel()))


def drawn(layer: nn.Module, **options: Any) -> nn.Module:
    """The layer, initialised in a place where ReLU comes after it."""
    initialise(nn.Sequential(layer, nn.ReLU(), nn.Linear(1, 1)), **options)
    return layer


def weight_of(layer: nn.Module, **options: Any) -> Tensor:
    weight = drawn(layer, **options).weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def test_normal_and_uniform() -> None:
    check_normal(weight_of(nn.Linear(IN, OUT), weights="normal", std=0.02), 0.02)
    check_uniform(weight_of(nn.Linear(IN, OUT), weights="uniform", bound=0.3), 0.3)


@pytest.mark.parametrize(("gain", "factor"), [("auto", SQRT2), (1, 1.0), (0.5, 0.5)])
def test_xavier_and_kaiming_of_a_linear_layer(gain: float | str, factor: float) -> None:
    xavier, kaiming = factor * math.sqrt(2 / (IN + OUT)), factor / math.sqrt(IN)
    root3 = math.sqrt(3)
    check_normal(weight_of(nn.Linear(IN, OUT), weights="xavier_normal", gain=gain), xavier)
    check_uniform(weight_of(nn.Linear(IN, OUT), weights="xavier_uniform", gain=gain), root3 * xavier)
    check_normal(weight_of(nn.Linear(IN, OUT), weights="kaiming_normal", gain=gain), kaiming)
    check_uniform(weight_of(nn.Linear(IN, OUT), weights="kaiming_uniform", gain=gain), root3 * kaiming)
    fan_out = weight_of(nn.Linear(IN, OUT), weights="kaiming_normal", fan="fan_out", gain=gain)
    check_normal(fan_out, factor / math.sqrt(OUT))


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (nn.Conv2d(40, 60, 5), 40 * 25, 60 * 25),
        (nn.Conv1d(100, 200, 3), 300, 600),
        (nn.Conv2d(80, 160, 5, groups=4), 20 * 25, 40 * 25),
        (nn.ConvTranspose2d(40, 60, 5), 40 * 25, 60 * 25),
        (nn.ConvTranspose2d(80, 160, 5, groups=4), 20 * 25, 40 * 25),
        (nn.Embedding(1000, 50), 1, 50),
    ],
    ids=str,
)
def test_the_fans_of_other_layers(layer: nn.Module, fan_in: int, fan_out: int) -> None:
    gain = 1 if isinstance(layer, nn.Embedding) else SQRT2
    check_normal(weight_of(layer, weights="kaiming_normal"), gain / math.sqrt(fan_in))
    check_normal(weight_of(layer, weights="kaiming_normal", fan="fan_out"), gain / math.sqrt(fan_out))
    check_normal(weight_of(layer, weights="xavier_normal"), gain * math.sqrt(2 / (fan_in + fan_out)))


@pytest.mark.parametrize("scheme", ["kaiming_normal", "kaiming_uniform"])
def test_kaiming_keeps_the_size_of_signals_through_twenty_layers(scheme: str) -> None:
    net = MLP(256, 256, depth=20, width=256, activation="relu")
    initialise(net, weights=scheme, biases="zeros")
    sizes = torch.stack([net(torch.randn(64, 256)).square().mean() for _ in range(4)])
    assert 0.05 < sizes.mean().item() < 20  # a gain that is 10% too small would leave 0.015


@pytest.mark.parametrize(("rows", "columns"), [(20, 30), (30, 20), (25, 25)])
def test_orthogonal_matrices_are_orthonormal_times_the_gain(rows: int, columns: int) -> None:
    w = weight_of(nn.Linear(columns, rows), weights="orthogonal")
    gram = w @ w.T if rows <= columns else w.T @ w
    assert torch.allclose(gram, 2 * torch.eye(min(rows, columns)), atol=1e-5)  # ReLU's gain, squared


def test_orthogonal_convolutions_are_so_group_by_group() -> None:
    w = weight_of(nn.Conv2d(8, 6, 3, groups=2), weights="orthogonal", gain=1)
    for group in w.flatten(1).chunk(2):
        assert torch.allclose(group @ group.T, torch.eye(3), atol=1e-5)


@pytest.mark.parametrize("layer", [nn.Linear(50, 40), nn.Conv2d(10, 40, 5)], ids=["linear", "convolution"])
def test_sparse_cuts_the_same_share_of_each_units_inputs(layer: nn.Module) -> None:
    units = weight_of(layer, weights="sparse", sparsity=0.7, std=0.3).flatten(1)
    zeros = (units == 0).sum(1)
    assert (zeros == math.ceil(0.7 * units.shape[1])).all()
    assert units[units != 0].std().item() == pytest.approx(0.3, rel=0.12)


def test_zeros_and_default() -> None:
    assert not weight_of(nn.Linear(4, 3), weights="zeros").any()
    net = MLP(4, 3, norm="layer")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    initialise(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(("biases", "value"), [("zeros", 0.0), ("constant", 0.25)])
def test_biases_are_set_and_weights_stay(biases: str, value: float) -> None:
    layers = nn.ModuleList([nn.Linear(4, 3), nn.Conv2d(2, 3, 3), nn.LSTM(3, 4), nn.MultiheadAttention(4, 2)])
    before = {name: p.detach().clone() for name, p in layers.named_parameters() if "bias" not in name}
    initialise(layers, biases=biases, bias=0.25)
    found = [p for name, p in layers.named_parameters() if "bias" in name]
    assert len(found) == 2 + 2 + 2
    assert all((p == value).all() for p in found)
    assert all(torch.equal(p, before[name]) for name, p in layers.named_parameters() if "bias" not in name)


@pytest.mark.parametrize(
    ("layer", "gains"),
    [
        (nn.LSTM(300, 100), [1, 1, 5 / 3, 1]),
        (nn.GRU(300, 100, bidirectional=True), [1, 1, 5 / 3]),
        (nn.RNN(300, 100, num_layers=2, nonlinearity="relu"), [SQRT2]),
        (nn.RNN(300, 100), [5 / 3]),
        (nn.LSTMCell(300, 100), [1, 1, 5 / 3, 1]),
    ],
    ids=str,
)
def test_recurrent_weights_are_drawn_gate_by_gate(layer: nn.Module, gains: list[float]) -> None:
    initialise(layer, weights="xavier_normal")
    for name, parameter in layer.named_parameters():
        if name.startswith("weight"):
            for gate, gain in zip(parameter.chunk(len(gains)), gains, strict=True):
                fans = 100 + parameter.shape[1]
                check_normal(gate, (gain if "_ih" in name else 1) * math.sqrt(2 / fans))


def test_hidden_weights_are_orthogonal_gate_by_gate() -> None:
    layer = nn.LSTM(6, 10, proj_size=4)
    initialise(layer, weights="orthogonal")
    weights = {name: p.detach() for name, p in layer.named_parameters()}
    for gate in weights["weight_hh_l0"].chunk(4):
        assert torch.allclose(gate.T @ gate, torch.eye(4), atol=1e-5)
    projection = weights["weight_hr_l0"]
    assert torch.allclose(projection @ projection.T, torch.eye(4), atol=1e-5)


@pytest.mark.parametrize("inner", [None, 150])
def test_attention_is_drawn_projection_by_projection(inner: int | None) -> None:
    layer = nn.MultiheadAttention(200, 4, kdim=inner, vdim=inner, add_bias_kv=True)
    tokens = {name: p.detach().clone() for name, p in layer.named_parameters() if name in ("bias_k", "bias_v")}
    initialise(layer, weights="xavier_normal", biases="constant", bias=1.0)
    if inner is None:
        projections = [(block, 200) for block in layer.in_proj_weight.chunk(3)]
    else:
        projections = [(layer.q_proj_weight, 200), (layer.k_proj_weight, 150), (layer.v_proj_weight, 150)]
    for block, fan_in in [*projections, (layer.out_proj.weight, 200)]:
        check_normal(block, math.sqrt(2 / (fan_in + 200)))
    assert len(tokens) == 2
    assert all(torch.equal(p, tokens[name]) for name, p in layer.named_parameters() if name in tokens)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(4), nn.LayerNorm((3, 4)), nn.GroupNorm(2, 4), nn.RMSNorm((3, 4))])
@pytest.mark.parametrize("scheme", WEIGHTS)
def test_norms_stay_as_they_are(norm: nn.Module, scheme: str) -> None:
    before = [p.detach().clone() for p in norm.parameters()]
    initialise(norm, weights=scheme, biases="constant", bias=3.0)
    assert all(torch.equal(p, old) for p, old in zip(norm.parameters(), before, strict=True))


@pytest.mark.parametrize("scheme", WEIGHTS)
def test_the_padding_row_of_an_embedding_stays_zero(scheme: str) -> None:
    layer = nn.Embedding(20, 8, padding_idx=3)
    before = layer.weight.detach().clone()
    initialise(layer, weights=scheme)
    assert not layer.weight[3].any()
    alone = scheme in ("default", "orthogonal", "sparse")
    assert torch.equal(layer.weight, before) == alone


def test_a_tied_weight_is_drawn_once_as_its_first_layer_has_it() -> None:
    first, last = nn.Linear(IN, OUT), nn.Linear(IN, OUT)
    last.weight = first.weight
    net = nn.Sequential(first, nn.ReLU(), last)
    initialise(net, weights="kaiming_normal")
    assert last.weight is first.weight
    check_normal(first.weight, SQRT2 / math.sqrt(IN))
    torch.manual_seed(5)
    initialise(net, weights="normal", std=1.0)
    torch.manual_seed(5)
    assert torch.equal(first.weight, torch.empty(OUT, IN).normal_())


class Own(nn.Module):
    """A layer that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.mixing_weight = nn.Parameter(torch.zeros(OUT, IN))
        self.mixing_bias = nn.Parameter(torch.zeros(OUT))
        self.token = nn.Parameter(torch.zeros(1, 5))
        self.temperature_weight = nn.Parameter(torch.zeros(7))


def test_parameters_of_unknown_layers_go_by_their_names() -> None:
    layer = Own()
    initialise(layer, weights="kaiming_normal", biases="constant", bias=2.0)
    check_normal(layer.mixing_weight, 1 / math.sqrt(IN))
    assert (layer.mixing_bias == 2).all()
    assert not layer.token.any()
    assert not layer.temperature_weight.any()


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("biases", BIASES)
def test_any_module_takes_any_scheme_and_a_seed_repeats_it(weights: str, biases: str) -> None:
    def state() -> list[Tensor]:
        torch.manual_seed(7)
        module = Classification(nn.Sequential(CNN(1, 10, channels=4), MLP(10, 3, norm="batch")), num_classes=3)
        for p in module.parameters():
            assert p.requires_grad
        initialise(module, weights=weights, biases=biases)
        assert module(torch.rand(2, 1, 8, 8)).isfinite().all()
        return [p.detach().clone() for p in module.parameters()]

    assert all(torch.equal(*pair) for pair in zip(state(), state(), strict=True))


def test_modules_without_values_are_refused_by_the_parameters_name() -> None:
    with pytest.raises(ValueError, match=r"1\.weight has no shape yet: run the lazy module once on a batch"):
        initialise(nn.Sequential(nn.ReLU(), nn.LazyLinear(3)))
    with torch.device("meta"):
        net = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="weight is on the meta device"):
        initialise(net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "he"}, "weights must be one of default, zeros, .* sparse, but got 'he'"),
        ({"biases": "ones"}, "biases must be one of default, zeros, constant, but got 'ones'"),
        ({"fan": "fan_avg"}, "fan must be one of fan_in, fan_out, but got 'fan_avg'"),
        ({"gain": "relu"}, "gain must be auto or a number, but got 'relu'"),
        ({"gain": 0.0}, "gain > 0 must hold, but got 0.0"),
        ({"std": -1.0}, "std > 0 must hold, but got -1.0"),
        ({"bound": float("inf")}, "bound > 0 must hold, but got inf"),
        ({"sparsity": 1.0}, "0 <= sparsity < 1 must hold, but got 1.0"),
        ({"bias": float("nan")}, "bias must be finite, but got nan"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        initialise(nn.Linear(2, 2), **arguments)
