"""What fails on the way to the first batch is told with the key that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from put_back import isolation_undone
from rehearsal_parts import ADAM, DIGITS, MLP, VAE, chosen, digits, refused
from trial_parts import base_config


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


@pytest.mark.parametrize(
    ("changes", "found", "fix"),
    [
        ({"data": {**DIGITS, "val_fraction": 2}}, "val_fraction", "data.val_fraction=…"),
        ({"model": {**MLP, "net": {**MLP["net"], "activation": "rleu"}}}, "got 'rleu'", "model.net.activation=…"),  # type: ignore[dict-item]
        ({"init": {"_target_": "raytune_nn.nn.init.initialise", "gain": "x"}}, "gain must be", "init.gain=…"),
        ({"optimizer": {**ADAM, "lr": -1}}, "ValueError: Invalid learning rate: -1 (adam.py", "optimizer.lr=…"),
        ({"optimizer": {**ADAM, "lr": "fast"}}, "TypeError: ", "optimizer.lr=…"),
        ({"trainer": {**base_config()["trainer"], "precision": "31"}}, "Precision '31'", "trainer.precision=…"),
        ({"model": {**VAE, "reconstruction": "bernouli"}}, "got 'bernouli'", "model.reconstruction=…"),
    ],
)
def test_the_key_that_is_wrong_is_named(changes: dict[str, Any], found: str, fix: str) -> None:
    told = refused(digits(**changes))
    assert found in told[1]
    assert told[2] == fix


COSINE = {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": {"from_trainer": "total", "share": 1.0}}


@pytest.mark.parametrize(
    ("lr_scheduler", "rule", "fix"),
    [
        ({"frequency": 3}, "lr_scheduler.frequency must not be more than the 2 epochs", "lr_scheduler.frequency=…"),
        ({"warmup": 3}, "lr_scheduler.warmup must be shorter than the training", "lr_scheduler.warmup=…"),
        ({"interval": "step", "warmup": 99}, "lr_scheduler.warmup must be shorter", "lr_scheduler.warmup=…"),
    ],
)
def test_a_schedule_that_is_too_long(lr_scheduler: dict[str, Any], rule: str, fix: str) -> None:
    schedule = {"scheduler": COSINE, "interval": "epoch", "frequency": 1, "warmup": 0, **lr_scheduler}
    trainer = {**base_config()["trainer"], "max_epochs": 2}
    told = refused(digits(lr_scheduler=schedule, trainer=trainer))
    assert told[1].startswith(rule)
    assert told[2] == fix


def test_what_lightning_says_of_the_trainer_while_a_schedule_is_built() -> None:
    schedule = {"scheduler": COSINE, "interval": "step", "frequency": 1}
    trainer = {**base_config()["trainer"], "limit_train_batches": 0.01}
    told = refused(digits(lr_scheduler=schedule, trainer=trainer))
    assert told[0] == "the trainer must be built, and take the model"
    assert told[2] == "trainer.limit_train_batches=…"


@pytest.mark.parametrize(
    ("changes", "found", "fix"),
    [
        ({"callbacks": chosen("Freeze", names="net.stem")}, "'net.stem' matches none", "callbacks.freeze.names=…"),
        (
            {"callbacks": chosen("BatchSizeSchedule", every=1, factor=2, maximum=32, scale_lr="none")},
            "batch_size <= maximum",
            "callbacks.batchsizeschedule.maximum=…",
        ),
        (
            {
                "callbacks": chosen("BatchSizeSchedule", every=1, factor=2, maximum=512, scale_lr="none"),
                "data": {**DIGITS, "batch_size": None},
            },
            "DigitsDataModule.batch_size is None",
            "data.batch_size=…",
        ),
        (
            {
                "callbacks": chosen("Accumulation", every=1, factor=2, maximum=4),
                "trainer": {**base_config()["trainer"], "accumulate_grad_batches": 2},
            },
            "accumulate_grad_batches",
            "trainer.accumulate_grad_batches=…",
        ),
        (
            {
                "callbacks": chosen("BatchSizeSchedule", every=1, factor=2, maximum=512),
                "lr_scheduler": {"scheduler": COSINE, "interval": "step", "frequency": 1},
            },
            "a schedule by steps (CosineAnnealingLR)",
            "lr_scheduler.interval=…",
        ),
        (
            {"callbacks": chosen("Augment", padding=1), "data": {**DIGITS, "image": False}},
            "Augment needs images of shape (batch, channels, height, width), but got float32 of shape (64, 64)",
            "other values under `callbacks.augment`, or leave it out",
        ),
    ],
)
def test_what_a_callback_refuses_is_told_as_its_own(changes: dict[str, Any], found: str, fix: str) -> None:
    told = refused(digits(**changes))
    assert told[0] == "the callbacks must be built, and fit model and data"
    assert found in told[1]
    assert told[2] == fix


def test_the_value_that_is_told_first_is_the_wrong_one(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("label\ttext\na\tb\n")
    text = {"_target_": "raytune_nn.data.TextDataModule", "path": str(tmp_path / "rows.tsv"), "text_column": "text"}
    told = refused(digits(data={**text, "label_column": "txt"}))
    assert "has no column 'txt', but 'label', 'text'" in told[1]
    assert told[2] == "data.label_column=…"
