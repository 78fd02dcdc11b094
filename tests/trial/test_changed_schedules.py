"""Schedules that go on with a state, and with other arguments than it came with."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import MultiStepLR

from raytune_nn.trial.hyperparameters import apply_changes, built_hyperparameters


def trainer(milestones: list[int]) -> Any:
    """As far as it is looked at."""
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = MultiStepLR(optimizer, milestones, gamma=0.5)
    return SimpleNamespace(optimizers=[optimizer], lr_scheduler_configs=[SimpleNamespace(scheduler=schedule)])


def rates(trainer: Any, epochs: int) -> list[float]:
    rates = []
    for _ in range(epochs):
        trainer.optimizers[0].step()
        trainer.lr_scheduler_configs[0].scheduler.step()
        rates.append(trainer.optimizers[0].param_groups[0]["lr"])
    return rates


def test_other_milestones_count_from_there() -> None:
    before, after = trainer([2, 4]), trainer([2, 6])
    then, now = built_hyperparameters(before), built_hyperparameters(after)
    file = io.BytesIO()
    torch.save(then, file)
    file.seek(0)
    then = torch.load(file, weights_only=True)
    assert rates(before, 3) == [1.0, 0.5, 0.5]
    after.optimizers[0].load_state_dict(before.optimizers[0].state_dict())
    after.lr_scheduler_configs[0].scheduler.load_state_dict(before.lr_scheduler_configs[0].scheduler.state_dict())
    apply_changes(after, then, now)
    assert rates(after, 4) == [0.5, 0.5, 0.25, 0.25]
