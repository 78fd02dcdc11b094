"""The configured optimizer and schedule, on any module."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from trial_parts import Net, base_config, quiet

from raytune_nn.trial.build import build_trial
from raytune_nn.trial.optimizers import set_optimizer

PLATEAU = {
    "scheduler": {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "mode": "max", "patience": 0},
    "monitor": "val_acc",
    "interval": "epoch",
    "frequency": 1,
}


def test_the_configured_optimizer_is_of_one_instance_only() -> None:
    model, other = Net(), Net()
    set_optimizer(model, {"_target_": "torch.optim.Adam", "lr": 0.25}, {"scheduler": None})
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in model.layer.parameters()]
    assert isinstance(other.configure_optimizers(), torch.optim.SGD)
    assert isinstance(Net().configure_optimizers(), torch.optim.SGD)


def test_a_schedule_stands_in_lightnings_dictionary() -> None:
    model = Net()
    set_optimizer(model, {"_target_": "torch.optim.Adam"}, PLATEAU)
    configured: Any = model.configure_optimizers()
    schedule = configured["lr_scheduler"]
    assert isinstance(schedule["scheduler"], ReduceLROnPlateau)
    assert schedule["scheduler"].optimizer is configured["optimizer"]
    assert {key: schedule[key] for key in ("monitor", "interval", "frequency")} == {
        "monitor": "val_acc",
        "interval": "epoch",
        "frequency": 1,
    }


def test_a_plateau_of_the_objective_lowers_the_rate() -> None:
    built = build_trial(
        base_config(
            model={"_target_": "trial_parts.Net", "accuracy": [0.1, 0.2, 0.2, 0.2]},
            optimizer={"_target_": "torch.optim.SGD", "lr": 1.0},
            lr_scheduler=PLATEAU,
            trainer={"_target_": "pytorch_lightning.Trainer", "max_epochs": 4},
        ),
        **quiet(),
    )
    assert isinstance(built.model, Net)
    assert isinstance(built.trainer, Trainer)
    built.trainer.fit(built.model, datamodule=built.data)
    assert built.model.rates == pytest.approx([1.0, 1.0, 1.0, 0.1]), "each noted before the epoch's own step"
