"""Probes: their values by hand, in every way of training, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from callback_parts import Manual, Net, Reports, Rows, fit, line, reporter
from put_back import isolation_undone
from torch import Tensor, nn

from raytune_nn.trial.callbacks import Probes
from raytune_nn.trial.callbacks.layer_groups import layer_groups
from raytune_nn.trial.callbacks.probes import dead_units

PROBES = ("probe/grad_norm/", "probe/update_ratio/", "probe/dead/")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def deep() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))


def probed(module: Net, rows: int = 8, every: int = 1, **trainer: Any) -> Reports:
    reports = Reports()
    fit(module, Rows(*line(rows)), Probes(every=every), reporter(reports)[0], **trainer)
    return reports


@pytest.mark.parametrize("kind", [Net, Manual])
def test_norm_and_ratio_are_those_of_the_step(kind: type[Net]) -> None:
    module = kind(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        module.net.weight.copy_(torch.tensor([[3.0, 4.0]]))  # type: ignore[operator]
    x, y = line(4)
    slope = 2 * ((x @ torch.tensor([[3.0], [4.0]]) - y) * x).mean(0)  # of the mean square, by hand
    (report,) = probed(module, rows=4)
    assert report.metrics["probe/grad_norm/1"] == pytest.approx(float(slope.norm()), rel=1e-3)
    assert report.metrics["probe/update_ratio/1"] == pytest.approx(0.1 * float(slope.norm()) / 5, rel=1e-3)
    assert "probe/dead/1" not in report.metrics, "it has no hidden unit"


def test_a_report_has_the_mean_of_the_steps_looked_at() -> None:
    module = Net(nn.Linear(2, 1))
    (report,) = probed(module, rows=8)
    norms = [torch.cat([w.flatten() for w in grads if w is not None]).norm() for grads in module.gradients]
    assert len(norms) == 2
    assert report.metrics["probe/grad_norm/1"] == pytest.approx(float(sum(norms)) / 2, rel=1e-3)


def test_where_no_step_was_looked_at_the_last_values_stay() -> None:
    first, second, third = probed(Net(deep()), every=4, max_epochs=3)  # steps 1 and 5, counted from 0
    probes = [_probes(report.metrics) for report in (first, second, third)]
    assert len(probes[0]) == 5
    assert probes[0] == probes[1] != probes[2]


def _probes(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith(PROBES)}


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Net, {}), (Net, {"gradient_clip_val": 0.1}), (Net, {"accumulate_grad_batches": 3}), (Manual, {})],
)
def test_the_training_is_the_same_to_the_last_bit(kind: type[Net], options: dict[str, Any]) -> None:
    weights, states = [], []
    for callbacks in ([], [Probes(every=1)]):
        module = kind(nn.Sequential(deep(), nn.Dropout(0.5)))
        torch.manual_seed(1)
        fit(module, Rows(*line(16)), *callbacks, max_epochs=3, **options)
        weights.append(torch.cat([w.detach().flatten() for w in module.parameters()]))
        states.append(torch.get_rng_state())
    assert torch.equal(*weights)
    assert torch.equal(*states)


def test_a_step_over_several_batches_and_one_that_is_evaluated_often() -> None:
    (report,) = probed(Net(deep()), rows=16, accumulate_grad_batches=4)
    assert report.metrics["probe/grad_norm/1"] > 0
    (report,) = probed(Net(deep(), torch.optim.LBFGS), rows=4)
    assert report.metrics["probe/update_ratio/1"] > 0


def test_frozen_layers_have_units_but_no_gradient() -> None:
    net = deep()
    net[0].requires_grad_(False)  # type: ignore[index]
    (report,) = probed(Net(net))
    found = {name for name in report.metrics if name.startswith(PROBES)}
    assert found == {"probe/dead/1", "probe/grad_norm/2", "probe/update_ratio/2"}


def test_no_hook_stays() -> None:
    module = Net(deep())
    probed(module)
    assert not any(part._forward_hooks for part in module.modules())


def test_dead_units_of_a_relu_and_of_none() -> None:
    net = deep()
    with torch.no_grad():
        net[0].bias[:] = torch.tensor([-100.0, -100.0, 1.0])  # type: ignore[index]
    (report,) = probed(Net(net, lr=1e-3))
    assert report.metrics["probe/dead/1"] == pytest.approx(2 / 3, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "of_steps", "spoil", "expected"),
    [
        ((4, 3), False, lambda y: y[:, 0], 3),
        ((4, 3, 5, 5), False, lambda y: y[:, 0], 3),
        ((4, 5, 3), False, lambda y: y[..., 0], 3),
        ((4, 3, 5), True, lambda y: y[:, 0], 3),
    ],
)
def test_units_stand_in_their_own_dimension(
    shape: tuple[int, ...], of_steps: bool, spoil: Callable[[Tensor], Tensor], expected: int
) -> None:
    answers = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert dead_units(answers, of_steps).tolist() == [False] * expected
    spoil(answers).fill_(0.999)
    assert dead_units(answers, of_steps).tolist() == [True] + [False] * (expected - 1)


def test_a_saturated_unit_is_dead_and_a_faint_one_is_not() -> None:
    answers = torch.tensor([[0.9999, 0.001], [1.0, 0.002]])
    assert dead_units(answers).tolist() == [True, False]


def test_recurrent_layers_are_units() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 1)
            bias: Any = self.cell.bias_ih_l0
            bias.data[12:15] = -100.0  # the output gate of three units

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.head(self.cell(x.unsqueeze(2))[0][:, -1])
            return y

    (report,) = probed(Net(Last()))
    assert report.metrics["probe/dead/1"] == pytest.approx(0.75)


def test_many_layers_are_four_groups_with_all_parameters_once() -> None:
    net = nn.Sequential(*[part for _ in range(9) for part in (nn.Linear(2, 2), nn.LayerNorm(2), nn.ReLU())])
    groups = layer_groups(net)
    assert [len(group.units) for group in groups] == [2, 2, 3, 2] or sum(len(group.units) for group in groups) == 9
    assert sorted(map(id, (w for group in groups for w in group.parameters))) == sorted(map(id, net.parameters()))
    shared = nn.Linear(2, 2)
    assert sum(len(group.parameters) for group in layer_groups(nn.Sequential(shared, nn.ReLU(), shared))) == 2


def test_a_module_without_layers_has_no_probe() -> None:
    class Bias(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            return x.sum(1, keepdim=True) + self.bias

    (report,) = probed(Net(Bias()))
    assert not any(name.startswith("probe/") for name in report.metrics)


@pytest.mark.parametrize(("name", "value"), [("every", 0), ("every", True), ("rows", 1), ("rows", 2.5)])
def test_numbers_out_of_bounds_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        Probes(**{name: value})
