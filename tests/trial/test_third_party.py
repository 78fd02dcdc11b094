"""Modules that were written elsewhere are tuned unchanged, or refused before the first trial with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from put_back import isolation_undone
from trial_parts import Reports, base_config, context

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.rehearsal import prepare
from raytune_nn.trial.targets import TargetCheck
from raytune_nn.trial.task import TrialTask

ADAM = {"_target_": "torch.optim.Adam", "lr": 0.125}
STEP = {"scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1}, "interval": "epoch"}
OWN = {"_target_": None}


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def config(model: str, data: str = "Data", **changes: Any) -> dict[str, Any]:
    place = {"_target_": data if "." in data else f"third_party.{data}"}
    return base_config(
        model={"_target_": f"third_party.{model}"}, data=place, resources={"cpus": 1}, **{"search": None, **changes}
    )


def tune(folder: Path, config: dict[str, Any], metric: str = "val_error") -> Reports:
    """All that happens to it in a slot: stage B, and a trial of three epochs."""
    reports = Reports()
    study = context(config, folder, objective=Objective(metric, maximise=False, take=Take.best))
    isolation = prepare(study, TargetCheck([config], [], [config]))
    run_trial(study, TrialTask("0", {}, ()), isolation, reports)
    return reports


def refused(config: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        prepare(context(config, Path()), TargetCheck([config], [], [config]))
    return raised.value


def test_its_own_optimizer_and_schedule(tmp_path: Path) -> None:
    reports = tune(tmp_path, config("OwnOptimizer", optimizer=OWN))
    assert reports.values("lr") == [2**-5, 2**-6, 2**-7]
    assert reports.values("val_error")[-1] < reports.values("val_error")[0]
    assert {"train_loss", "train_loss_step", "train_loss_epoch"} < set(reports[0].metrics)
    saved = torch.load(tmp_path / "checkpoints/0/model.ckpt", weights_only=True)
    assert saved["hyper_parameters"] == {"width": 4}


def test_its_own_optimizer_is_replaced(tmp_path: Path) -> None:
    reports = tune(tmp_path, config("OwnOptimizer", optimizer=ADAM))
    assert reports.values("lr") == [0.125] * 3, "and its schedule with it"


@pytest.mark.parametrize("model", ["Manual", "Adversarial", "ManualSchedule"])
def test_manual_optimization_by_its_own_optimizers(tmp_path: Path, model: str) -> None:
    reports = tune(tmp_path, config(model, optimizer=OWN))
    steps = 2 if model == "Adversarial" else 1
    assert [report.step for report in reports] == [2 * steps, 4 * steps, 6 * steps]
    assert len(set(reports.values("val_error"))) == 3


def test_manual_optimization_by_the_configured_optimizer(tmp_path: Path) -> None:
    reports = tune(tmp_path, config("Manual", optimizer=ADAM))
    assert reports.values("lr") == [0.125] * 3
    assert len(set(reports.values("val_error"))) == 3


@pytest.mark.parametrize("model", ["Adversarial", "ManualSchedule"])
def test_manual_optimization_that_one_optimizer_cannot_stand_for(model: str) -> None:
    error = refused(config(model, optimizer=ADAM))
    assert error.rule.endswith("that makes several optimizers, or a schedule, needs its own")
    assert (error.found, error.fix) == (f"{model}.configure_optimizers", "optimizer=from_model")


@pytest.mark.parametrize("schedule", [STEP, {"scheduler": None, "interval": "epoch", "warmup": 1}])
def test_a_configured_schedule_would_stand_still_in_manual_optimization(schedule: dict[str, Any]) -> None:
    error = refused(config("Manual", optimizer=ADAM, lr_scheduler=schedule))
    assert error.rule.startswith("a module with automatic_optimization=False steps its schedules itself")
    assert error.fix == "lr_scheduler=none"


def test_clipping_is_the_modules_own_in_manual_optimization() -> None:
    trainer = {**base_config()["trainer"], "gradient_clip_val": 1.0}
    error = refused(config("Manual", optimizer=OWN, trainer=trainer))
    assert "Automatic gradient clipping is not supported for manual optimization" in str(error.found)
    assert error.fix == "trainer.gradient_clip_val=…"


@pytest.mark.parametrize("data", ["SeveralLoaders", "Combined"])
def test_several_loaders(tmp_path: Path, data: str) -> None:
    chosen = config("ManyLoaders", data, optimizer=ADAM)
    assert [report.epoch for report in tune(tmp_path, chosen, "val_error/dataloader_idx_1")] == [1, 2, 3]
    (report,) = tune(tmp_path, chosen, "val_error")
    assert sorted(report.metrics) == ["error", "val_error/dataloader_idx_0", "val_error/dataloader_idx_1"]


def test_without_validation(tmp_path: Path) -> None:
    errors = tune(tmp_path, config("NoValidation", optimizer=ADAM), "error").values("error")
    assert len(errors) == 3
    assert errors[2] < errors[0]
    assert refused(config("NoValidation", optimizer=OWN)).fix == "optimizer=adamw"


@pytest.mark.parametrize("data", ["raytune_nn.data.DigitsDataModule", "pytorch_lightning.LightningDataModule"])
def test_a_model_with_loaders_of_its_own(tmp_path: Path, data: str) -> None:
    error = refused(config("WithLoader", data, optimizer=ADAM))
    assert error.rule.startswith("a model with a train_dataloader of its own needs it in a data module")
    assert error.fix == "data._target_=<a LightningDataModule with the model's loaders>"
    assert len(tune(tmp_path, config("WithLoader", optimizer=ADAM), "error")) == 3, "beside their own data module"


def test_data_without_loaders() -> None:
    error = refused(config("NoValidation", "pytorch_lightning.LightningDataModule", optimizer=ADAM))
    assert "`train_dataloader` must be implemented" in str(error.found)
