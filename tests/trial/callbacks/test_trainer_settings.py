"""Settings of the Trainer that a study can tune as they are: clipping and precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from callback_parts import Manual, Net, Rows, fit, line
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor

GRADIENT = [3.0, -0.25, 4.0]  # of the weights, then the bias


class Slope(Net):
    """A loss whose gradient is always the same."""

    def loss(self, batch: Any) -> Tensor:
        flat = torch.cat([parameter.flatten() for parameter in self.parameters()])
        self.dtype_inside = self.net(batch[0]).dtype
        return flat @ torch.tensor(GRADIENT)


def moved(**trainer: Any) -> list[float]:
    """How far one step of rate one goes against the gradient."""
    module = Slope(lr=1.0)
    before = torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
    fit(module, Rows(*line(4)), limit_val_batches=0, **trainer)
    difference = before - torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
    return [float(number) for number in difference]


def test_clipping_by_norm_shortens_the_gradient_and_keeps_its_direction() -> None:
    norm = sum(number**2 for number in GRADIENT) ** 0.5
    assert moved() == pytest.approx(GRADIENT)
    assert moved(gradient_clip_val=0.5) == pytest.approx([number * 0.5 / norm for number in GRADIENT], rel=1e-4)
    assert moved(gradient_clip_val=100.0) == pytest.approx(GRADIENT)


def test_clipping_by_value_cuts_each_number() -> None:
    assert moved(gradient_clip_val=0.5, gradient_clip_algorithm="value") == pytest.approx([0.5, -0.25, 0.5])


def test_a_module_that_steps_by_itself_cannot_be_clipped() -> None:
    with pytest.raises(MisconfigurationException, match="gradient clipping is not supported for manual optimization"):
        fit(Manual(), Rows(*line()), gradient_clip_val=0.5)


def test_mixed_bf16_computes_in_bf16_and_keeps_weights_in_float32() -> None:
    module = Slope(optimizer=torch.optim.AdamW, fused=True)
    fit(module, Rows(*line()), precision="bf16-mixed")
    assert module.dtype_inside == torch.bfloat16
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_mixed_precision_clips_what_is_not_fused() -> None:
    assert moved(gradient_clip_val=0.5, gradient_clip_algorithm="value", precision="bf16-mixed") == pytest.approx(
        [0.5, -0.25, 0.5]
    )
    with pytest.raises(RuntimeError, match="AdamW, does not allow for gradient clipping"):
        fit(Slope(optimizer=torch.optim.AdamW, fused=True), Rows(*line()), precision="bf16-mixed", gradient_clip_val=1)


def test_mixed_float16_on_a_cpu_is_bf16_with_a_warning() -> None:
    module = Slope()
    with pytest.warns(UserWarning, match="not supported on CPU. Using `precision='bf16-mixed'` instead"):
        fit(module, Rows(*line()), precision="16-mixed")
    assert module.dtype_inside == torch.bfloat16
