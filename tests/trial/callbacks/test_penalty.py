"""L1 and L2 penalties: the gradient is that of the penalised loss, whatever the module."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from callback_parts import Manual, Net, Rows, fit, line
from torch import Tensor, nn

from raytune_nn.trial.callbacks import GradientNoise, Penalty
from raytune_nn.trial.callbacks.gradients import check_optimizers


def penalised(net: nn.Module, batch: list[Tensor], weight: float, power: int, everything: bool) -> list[Tensor]:
    """Gradients of the penalised loss by autograd."""
    x, y = batch
    loss = (net(x) - y).square().mean()
    chosen = [p for name, p in net.named_parameters() if everything or name in ("0.weight", "4.weight")]
    loss = loss + weight * sum((p.abs() ** power).sum() for p in chosen)
    return list(torch.autograd.grad(loss, list(net.parameters())))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    reshaped = nn.Unflatten(1, (1, 3)), nn.LayerNorm((1, 3)), nn.Flatten()  # a norm of two dimensions
    return nn.Sequential(nn.Linear(2, 3), *reshaped, nn.Linear(3, 1))


@pytest.mark.parametrize("kind", [Net, Manual])
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("everything", [True, False])
def test_gradients_are_those_of_the_penalised_loss(kind: type[Net], power: int, everything: bool) -> None:
    module = kind(network())
    fit(module, Rows(*line(4)), Penalty(0.25, power, everything), limit_val_batches=0)
    expected = penalised(network(), module.seen[0], 0.25, power, everything)
    for found, wanted in zip(module.gradients[0], expected, strict=True):
        assert found is not None
        assert torch.allclose(found, wanted, atol=1e-6)


def test_the_penalty_is_added_once_to_accumulated_gradients() -> None:
    module = Net(network())
    fit(module, Rows(*line(8)), Penalty(0.25, 2), accumulate_grad_batches=2, limit_val_batches=0)
    assert len(module.gradients) == 1
    expected = penalised(network(), list(line(8)), 0.25, 2, everything=False)
    for found, wanted in zip(module.gradients[0], expected, strict=True):
        assert found is not None
        assert torch.allclose(found, wanted, atol=1e-6)


def test_l1_and_l2_add_up() -> None:
    module, plain = Net(network()), Net(network())
    fit(plain, Rows(*line(4)), limit_val_batches=0)
    fit(module, Rows(*line(4)), Penalty(0.5, 1), Penalty(0.25, 2), limit_val_batches=0)
    found, without = module.gradients[0][0], plain.gradients[0][0]
    assert found is not None
    assert without is not None
    weight = next(network().parameters()).detach()
    assert torch.allclose(found - without, 0.5 * weight.sign() + 0.5 * weight, atol=1e-6)


def test_clipping_comes_after_the_penalty() -> None:
    module = Net(network(), lr=1.0)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    fit(module, Rows(*line(4)), Penalty(100.0, 2), gradient_clip_val=0.5, limit_val_batches=0)
    moved = torch.cat([(now - then).flatten() for now, then in zip(module.parameters(), before, strict=True)])
    assert moved.norm().item() == pytest.approx(0.5, rel=1e-4)


def test_parameters_without_a_gradient_stay() -> None:
    module = Net(network())
    kept = module.net.get_parameter("0.weight")
    kept.requires_grad_(False)
    before = kept.clone()
    fit(module, Rows(*line(4)), Penalty(1.0, 2), limit_val_batches=0)
    assert torch.equal(kept, before)
    assert not torch.equal(module.net.get_parameter("4.weight"), network().get_parameter("4.weight"))


def test_switched_off_it_changes_nothing() -> None:
    module, plain = Net(network()), Net(network())
    fit(plain, Rows(*line(4)), limit_val_batches=0)
    fit(module, Rows(*line(4)), Penalty(0.0, 1), limit_val_batches=0)
    assert all(map(torch.equal, module.parameters(), plain.parameters()))


@pytest.mark.parametrize("callback", [Penalty(0.1, 2), GradientNoise(0.1)])
def test_a_line_search_is_refused(callback: Any) -> None:
    searching = Net(network(), torch.optim.LBFGS, line_search_fn="strong_wolfe")
    with pytest.raises(ValueError, match=r"line search of LBFGS .* optimizer\.line_search_fn=null"):
        fit(searching, Rows(*line(4)), callback)
    fit(Net(network(), torch.optim.LBFGS), Rows(*line(4)), callback)


class Scaling:
    """A Trainer that scales losses, as 16-mixed does on a GPU."""

    class precision_plugin:
        scaler = object()

    def __init__(self, fused: bool) -> None:
        self.optimizers = [torch.optim.AdamW(network().parameters(), fused=fused)]


def test_a_fused_optimizer_that_scales_gradients_back_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fused AdamW .*optimizer\.fused=null or trainer\.precision=bf16-mixed"):
        check_optimizers("Penalty", Scaling(fused=True))  # type: ignore[arg-type]
    check_optimizers("Penalty", Scaling(fused=False))  # type: ignore[arg-type]


@pytest.mark.parametrize(("weight", "power", "rule"), [(-1.0, 1, "weight >= 0"), (1.0, 3, "power must be 1 or 2")])
def test_arguments(weight: float, power: int, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Penalty(weight, power)
