"""`mode=plan` as a whole command: what it tries in processes of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("here")]

SMALL = ("+search=asha", "mode=plan", "budget.num_trials=3", "budget.max_epochs=3", "cluster.cpus=1")
BROKEN = """
import pytorch_lightning as pl, torch

class Model(pl.LightningModule):
    def __init__(self, width=4, **of_the_classifier):
        super().__init__()
        if width > 8:
            raise ValueError("too wide")
        self.net = torch.nn.Linear(64, 10)
    def training_step(self, batch, _):
        return torch.nn.functional.cross_entropy(self.net(batch[0].flatten(1)), batch[1])
    def validation_step(self, batch, _):
        self.log("val_loss", self.training_step(batch, 0))
    def on_load_checkpoint(self, checkpoint):
        raise RuntimeError("lost")
"""


def test_what_is_tried_is_told_and_nothing_is_left(here: Path) -> None:
    ran = run(*SMALL)
    assert ran.code == 0, ran.err
    for row in ("memory", "corners", "batches", "an epoch", "time", "hours", "ends by"):
        assert f"\n{row} " in ran.out
    assert list(here.iterdir()) == []


def test_a_metric_that_is_not_logged() -> None:
    ran = run(*SMALL, "objective.metric=val_acccc")
    assert (ran.code, ran.fix) == (2, "objective.metric=val_acc")
    assert "val_loss" in ran.found


def test_a_strict_plan_fails_with_its_warnings() -> None:
    ran = run(*SMALL, "budget.num_trials=2", "plan.strict=true")
    assert ran.code == 2
    assert ran.rule.startswith("with plan.strict=true a plan must be without warnings: ")
    assert ran.fix == "budget.num_trials=9"


@pytest.mark.parametrize("high", [64, 8])
def test_a_broken_module(here: Path, high: int) -> None:
    (here / "broken.py").write_text(BROKEN if high == 8 else BROKEN.partition("    def on_load_checkpoint")[0])
    typed = ("objective.metric=val_loss", "objective.mode=min", "~search_space", "model._target_=broken.Model")
    space = f"+search_space={{model: {{width: 'randint(2, {high})'}}}}"
    ran = run(*SMALL, *typed, "+model.width=4", space)
    assert ran.code == 2
    if high > 8:
        assert "model.width=64" in ran.found
        assert ran.fix == "'search_space.model.width=\"randint(2, 4)\"'"
    else:
        assert ran.rule == "a checkpoint must bring a trial's module back: the state of its training"
