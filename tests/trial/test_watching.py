"""Callbacks that only watch: what they put into the TensorBoard run, and that they change nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from event_files import Run
from put_back import isolation_undone
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger
from trial_parts import ROWS, Data, Net, Reports, base_config, context, quiet

from raytune_nn.trial.callbacks import GradientNorm, LearningRate, Throughput
from raytune_nn.trial.callbacks.throughput import _rows
from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.task import TrialTask

HERE = "raytune_nn.trial.callbacks"
EPOCHS, STEPS = 2, 4


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def train(folder: Path, *names: str, **trainer: Any) -> tuple[Run, Reports]:
    reports = Reports()
    config = base_config(
        callbacks={name: {"_target_": f"{HERE}.{name}"} for name in names},
        optimizer={"_target_": "torch.optim.SGD", "lr": 0.125},
        lr_scheduler={
            "scheduler": {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.5},
            "interval": "epoch",
            "warmup": 0,
        },
        trainer={"_target_": "pytorch_lightning.Trainer", "max_epochs": EPOCHS, "accelerator": "cpu", **trainer},
    )
    run_trial(context(config, folder), TrialTask("7", {}, front=()), Isolation(threads=1), reports)
    return Run(folder / "tb" / "7"), reports


def test_the_learning_rate_of_each_epoch_and_of_every_step_that_lightning_logs(tmp_path: Path) -> None:
    run, _ = train(tmp_path / "epochs", "LearningRate")
    assert run.scalars("learning_rate") == [(0, 0.125), (4, 0.0625)]
    run, _ = train(tmp_path / "steps", "LearningRate", log_every_n_steps=2)
    assert [step for step, _ in run.scalars("learning_rate")] == [0, 1, 3, 4, 5, 7]


class Kept(Logger):
    """Keeps what it is told."""

    name, version = "kept", 0

    def __init__(self) -> None:
        super().__init__()
        self.norms: dict[int | None, float] = {}

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        pass

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if "gradient_norm" in metrics:
            self.norms[step] = metrics["gradient_norm"]


class Noted(Net):
    """Notes the norms of its gradients."""

    def on_fit_start(self) -> None:
        self.norms: list[float] = []

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        grads = [w.grad.flatten() for w in self.parameters() if w.grad is not None]
        self.norms.append(torch.cat(grads).norm().item())


def test_the_norm_of_the_gradient_is_that_before_clipping() -> None:
    model, logger = Noted(), Kept()
    settings = quiet(max_epochs=EPOCHS, gradient_clip_val=0.01, logger=logger, log_every_n_steps=STEPS)
    Trainer(callbacks=[GradientNorm()], **settings).fit(model, datamodule=Data())
    expected = {step: pytest.approx(model.norms[step]) for step in (0, 3, 4, 7)}
    assert logger.norms == expected


def test_how_fast_it_trains_is_logged_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    run, _ = train(tmp_path, "Throughput")
    batches, samples = run.scalars("throughput/batches_per_second"), run.scalars("throughput/samples_per_second")
    assert len(batches) == len(samples) == EPOCHS
    for (_, of_batches), (_, of_samples) in zip(batches, samples, strict=True):
        assert of_samples / of_batches == pytest.approx(ROWS / STEPS)


def test_they_are_no_metrics_and_change_none(tmp_path: Path) -> None:
    _, without = train(tmp_path / "without")
    _, reports = train(tmp_path / "with", "LearningRate", "GradientNorm", "Throughput")
    assert [report.metrics for report in reports] == [report.metrics for report in without]


@pytest.mark.parametrize(
    ("batch", "rows"),
    [
        (torch.zeros(3, 2), 3),
        ((torch.zeros(5), torch.zeros(5)), 5),
        ({"x": [torch.zeros(2, 1)], "name": "a"}, 2),
        ([["a", "b"], torch.zeros(4)], 4),
        (torch.zeros(()), 0),
        ("text", 0),
    ],
)
def test_the_rows_of_a_batch_are_those_of_its_first_tensor(batch: object, rows: int) -> None:
    assert _rows(batch) == rows


@pytest.mark.parametrize("callback", [LearningRate, GradientNorm, Throughput])
def test_without_a_logger_there_is_nothing_to_do(callback: type) -> None:
    Trainer(max_epochs=1, callbacks=[callback()], **quiet()).fit(Net(), datamodule=Data())
