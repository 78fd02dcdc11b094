"""The same search on Ray Tune as its page on Lightning shows it: a new actor a trial, and Tune's own defaults.

Run as ``python ray_as_documented.py TRIALS EPOCHS CPUS STORAGE``.
"""

from __future__ import annotations

import sys
from typing import Any

import ray
from by_hand import HandData, HandModule
from pytorch_lightning import Trainer, seed_everything
from ray import tune
from ray.tune.integration.pytorch_lightning import TuneReportCallback
from ray_by_hand import space


def train(config: dict[str, Any]) -> None:
    """One trial."""
    seed_everything(0, verbose=False)
    epochs = config.pop("epochs")
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[TuneReportCallback(["val_acc", "val_loss"], on="validation_end")],
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(HandModule(**config), datamodule=HandData())


def main(trials: int, epochs: int, cpus: int, storage: str) -> None:
    """The whole search."""
    ray.init(address="local", num_cpus=cpus)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space=space(epochs),
        tune_config=tune.TuneConfig(num_samples=trials, metric="val_acc", mode="max"),
        run_config=tune.RunConfig(storage_path=storage),
    )
    best = tuner.fit().get_best_result()
    print(f"val_acc = {best.metrics['val_acc']:.4f}" if best.metrics else "nothing")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
