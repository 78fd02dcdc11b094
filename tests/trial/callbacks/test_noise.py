"""Noise on inputs and on gradients: its moments, step by step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from callback_parts import Manual, Net, Rows, fit, line
from pytorch_lightning import Callback
from torch import Tensor, nn

from raytune_nn.trial.callbacks import GradientNoise, InputNoise


class Still(nn.Module):
    """Weights whose own gradient is zero."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(count))

    def forward(self, x: Tensor) -> Tensor:
        return (0 * self.weight).sum() + x.sum(1, keepdim=True)


def test_inputs_get_gaussian_noise() -> None:
    torch.manual_seed(0)
    x = torch.full((20_000, 2), 3.0)
    noisy, label = InputNoise(0.25).change(None, [x, "label"])  # type: ignore[arg-type]
    noise = noisy - 3
    assert label == "label"
    assert noise.mean().item() == pytest.approx(0, abs=4 * 0.25 / 200)
    assert noise.std().item() == pytest.approx(0.25, rel=0.02)
    assert (noise.abs() < 0.25).float().mean().item() == pytest.approx(0.6827, abs=0.01)
    assert torch.equal(x, torch.full((20_000, 2), 3.0))


@pytest.mark.parametrize("kind", [Net, Manual])
@pytest.mark.parametrize(("eta", "gamma"), [(0.3, 0.55), (0.01, 2.0)])
def test_the_gradients_noise_fades_as_the_paper_says(kind: type[Net], eta: float, gamma: float) -> None:
    torch.manual_seed(0)
    module = kind(Still(40_000))
    fit(module, Rows(*line(), batch_size=2), GradientNoise(eta, gamma), max_epochs=2, limit_val_batches=0)
    if kind is Manual:  # its own hook is called as well
        assert len(module.gradients) == 8
    for step, (gradient,) in enumerate(module.gradients):
        assert gradient is not None
        assert gradient.var().item() == pytest.approx(eta / (1 + step) ** gamma, rel=0.03)
        assert abs(gradient.mean().item()) < 4 * (eta / 40_000) ** 0.5
    first, second = module.gradients[:2]
    assert first[0] is not None
    assert second[0] is not None
    assert abs(torch.corrcoef(torch.stack([first[0], second[0]]))[0, 1]) < 0.02


def test_noise_comes_on_top_of_the_gradient() -> None:
    weight, trainer = nn.Parameter(torch.zeros(3)), SimpleNamespace(global_step=0)
    weight.grad = torch.tensor([1.0, 2.0, 3.0])
    torch.manual_seed(5)
    callback: Any = GradientNoise(0.01, 0.55)
    callback.on_before_optimizer_step(trainer, None, torch.optim.SGD([weight], lr=1.0))
    torch.manual_seed(5)
    assert torch.allclose(weight.grad, torch.tensor([1.0, 2.0, 3.0]) + 0.1 * torch.randn(3))


@pytest.mark.parametrize("callback", [InputNoise(0.0), GradientNoise(0.0)])
def test_switched_off_it_draws_nothing(callback: Callback) -> None:
    torch.manual_seed(0)
    module = Net()
    before = torch.get_rng_state()
    fit(module, Rows(*line()), limit_val_batches=0)
    drawn = torch.get_rng_state()  # what Lightning and the loaders draw by themselves
    torch.set_rng_state(before)
    fit(module, Rows(*line()), callback, limit_val_batches=0)
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: InputNoise(-1.0), "std >= 0"),
        (lambda: GradientNoise(-1.0), "eta >= 0"),
        (lambda: GradientNoise(1.0, -1.0), "gamma >= 0"),
    ],
)
def test_arguments_are_not_negative(make: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=f"{rule} must hold"):
        make()
