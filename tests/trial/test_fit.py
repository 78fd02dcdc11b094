"""One trial from its configuration to its folder, and that no trial can feel another."""

from __future__ import annotations

import gc
import importlib
import logging
import math
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from event_files import Run
from trial_parts import ACCURACY, Net, Reports, base_config, context

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.trial.fit import quieten, run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.task import Report, TrialTask
from raytune_nn.trial.tensorboard import TrialLogger

# Each training changes whatever it can reach, and its metrics depend on all of that.
LEAKY = """
import os, random
import numpy as np, torch
from trial_parts import Net

SCALES, RUNS, TABLE = [1.0], 0, {"bias": 0.0}

class Leaky(Net):
    history = []

    def training_step(self, batch, batch_idx):
        noise = random.random() + np.random.rand() + torch.rand(()).item()
        scale = sum(SCALES) + RUNS + TABLE["bias"] + len(self.history) + float(os.environ.get("LEAK", 0))
        loss = super().training_step(batch, batch_idx) * scale
        self.log("noise", noise * torch.zeros(()).element_size())
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_acc", self.layer.weight.sum() + self.layer.bias.sum())

    def on_fit_end(self):
        global RUNS
        RUNS += 1
        SCALES.append(2.0)
        TABLE["bias"] += 3.0
        Leaky.history.append(RUNS)
        os.environ["LEAK"] = "5"
        os.chdir("/")
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(99), random.seed(99), np.random.seed(99)
"""


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    names = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning_utilities")
    levels = {name: logging.getLogger(name).level for name in names}
    environment, here, threads = dict(os.environ), os.getcwd(), torch.get_num_threads()
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(here)
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_deterministic_debug_mode(0)
    gc.unfreeze()


def run(folder: Path, *, until: int = 10**6, params: dict[str, Any] | None = None, **changes: Any) -> Reports:
    """Trains trial 7 of a study in ``folder``."""
    reports = Reports(until)
    study = context(base_config(**changes), folder)
    run_trial(study, TrialTask("7", params or {}, front=()), Isolation(threads=1), reports)
    return reports


def net(*accuracy: float) -> dict[str, Any]:
    return {"_target_": "trial_parts.Net", "accuracy": list(accuracy)}


def test_a_trial_reports_and_leaves_its_run_and_its_model(tmp_path: Path) -> None:
    reports = run(tmp_path, model=net(0.25, 0.75, 0.5))
    assert reports.values("val_acc") == [0.25, 0.75, 0.5]
    assert [report.checkpoint for report in reports] == ["7", "7", None]
    board = Run(tmp_path / "tb" / "7")
    assert [value for _, value in board.scalars("val_acc")] == [0.25, 0.75, 0.5]
    assert [value for _, value in board.scalars("best/val_acc")] == [0.25, 0.75]
    assert [value for _, value in board.scalars("last/val_acc")] == [0.25, 0.75, 0.5]
    assert board.status() == "success"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "journal", "tb"]
    assert torch.load(tmp_path / "checkpoints/7/model.ckpt", weights_only=True)["epoch"] == 1


def test_sampled_values_are_merged_trained_with_and_shown(tmp_path: Path) -> None:
    model = {**net(0.5), "width": 1}
    reports = run(tmp_path, model=model, params={"model.width": 3, "trainer.max_epochs": 2})
    assert len(reports) == 2
    weights = torch.load(tmp_path / "checkpoints/7/model.ckpt", weights_only=True)["state_dict"]
    assert weights["layer.weight"].shape == (3, 1)
    assert Run(tmp_path / "tb" / "7").hparams() == {"model.width": 3.0, "trainer.max_epochs": 2.0}


def test_the_configuration_beside_the_model_is_that_of_a_single_training(tmp_path: Path) -> None:
    run(tmp_path, model={**net(0.5), "width": "${from_data:num_rows}"}, params={"trainer.max_epochs": 1})
    config = yaml.safe_load((tmp_path / "checkpoints/7/config.yaml").read_text())
    stays: dict[str, Any] = {"name": None, "storage": "studies", "resume": "auto", "trial": None, "cache": []}
    assert config["study"] == stays
    assert (config["search"], config["search_space"], config["mode"]) == (None, {}, "run")
    assert config["trainer"]["max_epochs"] == 1
    assert config["model"]["width"] == 8


def test_seed_and_verbosity_may_be_interpolations(tmp_path: Path) -> None:
    model = {"_target_": "trial_parts.Net", "accuracy": [0.5]}
    first = run(tmp_path, model=model, seed="${trainer.max_epochs}", verbose="${mine}", mine=1)
    second = run(tmp_path, model=model, seed=3)
    other = run(tmp_path, model=model, seed=4)
    assert first.values("train_loss") == second.values("train_loss") != other.values("train_loss")


def test_a_trial_that_is_told_to_stop_ends_well(tmp_path: Path) -> None:
    reports = run(tmp_path, until=1, model=net(0.5, 0.75))
    assert len(reports) == 1
    board = Run(tmp_path / "tb" / "7")
    assert (board.status(), board.scalars("best/val_acc")[-1][1]) == ("success", 0.5)


def test_a_trial_that_diverges_ends_badly(tmp_path: Path) -> None:
    reports = run(tmp_path, model=net(0.5, math.nan))
    assert len(reports) == 2
    assert reports[1].checkpoint is None
    board = Run(tmp_path / "tb" / "7")
    assert board.status() == "failure"
    assert board.scalars("best/val_acc")[-1][1] == 0.5
    assert math.isnan(board.scalars("last/val_acc")[-1][1])


def test_an_exception_passes_through_and_closes_the_run(tmp_path: Path) -> None:
    def send(report: Report) -> bool:
        raise ZeroDivisionError("user's code")

    study = context(base_config(), tmp_path)
    with pytest.raises(ZeroDivisionError, match="user's code"):
        run_trial(study, TrialTask("7", {}, ()), Isolation(threads=1), send)
    assert Run(tmp_path / "tb" / "7").status() == "failure"


def test_a_module_that_cannot_be_built_closes_the_run(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unheard"):
        run(tmp_path, model={**net(0.5), "unheard": 1})
    assert Run(tmp_path / "tb" / "7").status() == "failure"


def test_a_second_attempt_replaces_the_run_of_the_first(tmp_path: Path) -> None:
    run(tmp_path, model=net(0.25), until=1)
    run(tmp_path, model=net(0.5), until=1)
    assert [value for _, value in Run(tmp_path / "tb" / "7").scalars("val_acc")] == [0.5]
    assert len(list((tmp_path / "tb" / "7").iterdir())) == 1


def test_every_report_is_in_the_run_before_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    flush = TrialLogger.flush

    def flushed(logger: TrialLogger) -> None:
        happened.append("flushed")
        flush(logger)

    monkeypatch.setattr(TrialLogger, "flush", flushed)

    def send(report: Report) -> bool:
        happened.append(f"{len(Run(tmp_path / 'tb' / '7').scalars('val_acc'))} sent")
        return True

    run_trial(context(base_config(), tmp_path), TrialTask("7", {}, ()), Isolation(threads=1), send)
    assert happened == ["flushed", "1 sent", "flushed", "2 sent", "flushed", "3 sent"]


def test_lightning_is_quiet_unless_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run(tmp_path)
    assert [record for record in caplog.records if "lightning" in record.name] == []
    quieten(2)
    level = logging.getLogger("pytorch_lightning").level
    assert level == logging.ERROR, "2 changes nothing"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quieten(2)
        with pytest.raises(UserWarning, match="advice"):
            warnings.warn_explicit("advice", UserWarning, "trainer.py", 1, module="pytorch_lightning.trainer")
        quieten(1)
        warnings.warn_explicit("advice", UserWarning, "trainer.py", 1, module="pytorch_lightning.trainer")
        with pytest.raises(UserWarning, match="mine"):
            warnings.warn_explicit("mine", UserWarning, "net.py", 1, module="my_pkg.net")


@pytest.fixture
def leaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "leaky_module.py").write_text(LEAKY)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("leaky_module", None)


def train_in_order(folder: Path, trials: Sequence[str]) -> dict[str, list[dict[str, float]]]:
    """All metrics of all reports of each trial, trained one after another in a process that is new to the module."""
    sys.modules.pop("leaky_module", None)
    importlib.import_module("leaky_module")
    isolation = Isolation(threads=1)
    widths = {"A": 2, "B": 3}
    metrics = {}
    for trial in trials:
        reports = Reports()
        study = context(base_config(model={"_target_": "leaky_module.Leaky", "width": 1}), folder)
        run_trial(study, TrialTask(trial, {"model.width": widths[trial]}, ()), isolation, reports)
        metrics[trial] = [report.metrics for report in reports]
    isolation.restore(0)  # the next process starts as this one did
    return metrics


@pytest.mark.usefixtures("leaky")
def test_the_order_of_trials_changes_no_metric(tmp_path: Path) -> None:
    forth = train_in_order(tmp_path, ["A", "B"])
    back = train_in_order(tmp_path, ["B", "A"])
    assert forth == back
    assert forth["A"] != forth["B"]
    assert len(forth["A"]) == 3


@pytest.mark.usefixtures("leaky")
def test_without_isolation_the_leaky_module_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = train_in_order(tmp_path, ["B"])
    monkeypatch.setattr(Isolation, "restore", lambda self, seed, threads=1: torch.manual_seed(seed))
    after_another = train_in_order(tmp_path, ["A", "B"])
    assert after_another["B"] != alone["B"], "else the test above proves nothing"


def test_a_trial_has_the_threads_that_its_own_loaders_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the number of their processes is tuned, it is not that of the study's configuration."""
    read = torch.get_num_threads
    seen: list[int] = []
    monkeypatch.setattr(Net, "on_train_epoch_start", lambda self: seen.append(read()), raising=False)
    data = {"_target_": "trial_parts.Data", "num_workers": 0}
    for workers in (0, 2):
        run(tmp_path, params={"data.num_workers": workers}, data=data, resources={"cpus": 3, "gpus": 0}, until=1)
    assert seen == [3, 1]


def test_a_trial_of_several_metrics(tmp_path: Path) -> None:
    """The run has those of the report that counts, and a model is kept where no trial dominates that."""
    two = replace(ACCURACY, further=(Goal("epochs", False),))
    study, reports = context(base_config(model=net(0.25, 0.5, 0.375)), tmp_path, objective=two), Reports()
    run_trial(study, TrialTask("7", {}, front=((0.25, 0.0),)), Isolation(threads=1), reports)
    assert [report.checkpoint for report in reports] == [None, "7", None]
    run = Run(tmp_path / "tb" / "7")
    assert (run.scalars("best/val_acc")[-1][1], run.scalars("best/epochs")[-1][1]) == (0.5, 2.0)


@pytest.mark.parametrize("lost", ["missing", "nan"])
def test_any_metric_that_is_lost_ends_a_training(tmp_path: Path, lost: str) -> None:
    model = {"_target_": "trial_parts.Net", "accuracy": [0.25, math.nan, 0.5]}
    further = Goal("nobody", False) if lost == "missing" else Goal("val_acc", True)
    two = Objective("epochs", True, Take.best, further=(further,))
    reports = Reports()
    run_trial(context(base_config(model=model), tmp_path, objective=two), TrialTask("7", {}, ()), Isolation(1), reports)
    assert len(reports) == (1 if lost == "missing" else 2)


def test_the_objective_decides_about_checkpoints(tmp_path: Path) -> None:
    study = context(base_config(model=net(0.25, 0.5)), tmp_path)
    reports = Reports()
    run_trial(study, TrialTask("7", {}, front=((0.375,),)), Isolation(threads=1), reports)
    assert [report.checkpoint for report in reports] == [None, "7", None]
    assert study.objective == ACCURACY
