"""Accumulation by a schedule: steps by hand, and no schedule of the learning rate that would lose count."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from callback_parts import Net, Rows, by_steps, fit, line

from raytune_nn.trial.callbacks import Accumulation


def test_batches_a_step_follow_the_epoch() -> None:
    module = Net()
    trainer = fit(module, Rows(*line(24), batch_size=2), Accumulation(2, 2, 3), max_epochs=5)
    assert trainer.global_step == 12 + 12 + 6 + 6 + 4
    assert len(module.gradients) == 40


def test_an_accumulated_gradient_is_that_of_the_whole() -> None:
    torch.manual_seed(0)
    module, whole = Net(lr=0.0), Net(lr=0.0)
    whole.load_state_dict(module.state_dict())
    fit(module, Rows(*line(8), batch_size=2), Accumulation(1, 4, 4), max_epochs=2)
    fit(whole, Rows(*line(8), batch_size=8))
    assert len(module.gradients) == 4 + 1
    for one, other in zip(module.gradients[-1], whole.gradients[0], strict=True):
        assert one is not None
        assert other is not None
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [((0, 2, 4), "every"), ((1, 1, 4), "factor"), ((1, 1.5, 4), "factor"), ((1, 2, 0), "maximum")],
)
def test_arguments(arguments: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=f"{rule} must be a whole number >= "):
        Accumulation(*arguments)


def test_a_schedule_by_steps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Accumulation .*\(ExponentialLR\) .*lr_scheduler\.interval=epoch"):
        fit(Net(schedule=by_steps), Rows(*line()), Accumulation(1, 2, 4))
