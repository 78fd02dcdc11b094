"""Each network on each kind of data that it fits: a few steps with the shipped options, and its loss falls."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
import torch
from command_line import compose
from pytorch_lightning import Callback, LightningModule, Trainer

from raytune_nn.trial.build import build_trial

DATA = {
    "digits": ("data=digits",),
    "idx": ("data=idx", "data.images=train-images-idx3-ubyte.gz", "data.labels=train-labels-idx1-ubyte.gz"),
    "image_folder": ("data=image_folder", "data.path=images", "data.size=12"),
    "table": ("data=table", "data.path=train.csv", "data.target=income"),
    "numbers": ("data=table", "data.path=table.csv", "data.target=target", "data.task=regression"),
    "text": ("data=text", "data.path=train.tsv", "data.max_length=8"),
    "audio": ("data=audio", "data.path=recordings.zip"),
    "frames": ("data=audio", "data.path=recordings.zip", "data.time_first=true"),
}
FEATURES = ("model.net.vocab_size=null", "model.net.in_features=${from_data:num_mels}")
LENGTH = "model.net.max_length=${from_data:num_frames}"
PAIRS = [
    *((model, data) for model in ("mlp", "cnn", "vae") for data in ("digits", "idx")),
    *(("mlp", "image_folder"), ("cnn", "image_folder"), ("mlp", "table"), ("mlp_regression", "numbers")),
    *((model, data) for model in ("recurrent", "transformer") for data in ("text", "frames")),
    ("audio_cnn", "audio"),
]
SLOW = (("recurrent", "text"), ("recurrent", "frames"), ("cnn", "digits"))
STEPS = 40


class Losses(list[float], Callback):
    """The loss of each training batch."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.append(float(outputs["loss"]))


@pytest.mark.usefixtures("at_files")
@pytest.mark.parametrize(
    ("model", "data"),
    [pytest.param(*pair, id="-".join(pair), marks=[pytest.mark.slow] if pair in SLOW else []) for pair in PAIRS],
)
def test_its_loss_falls(model: str, data: str) -> None:
    steps = FEATURES if data == "frames" else ()
    length = (LENGTH,) if (model, data) == ("transformer", "frames") else ()
    config = compose(f"model={model}", *DATA[data], *steps, *length, "data.batch_size=16", "trainer=cpu").config
    config["trainer"] |= {"max_epochs": -1, "max_steps": STEPS, "limit_val_batches": 0}
    torch.manual_seed(0)
    losses = Losses()
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    built = build_trial(config, [losses], enable_model_summary=False, **quiet)
    built.trainer.fit(built.model, datamodule=built.data)
    assert len(losses) == STEPS
    assert statistics.fmean(losses[-8:]) < 0.8 * statistics.fmean(losses[:4])
