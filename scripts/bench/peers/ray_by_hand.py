"""The same search written by hand on Ray Tune: reused actors, Tune's default loggers, one report an epoch.

Run as ``python ray_by_hand.py TRIALS EPOCHS CPUS STORAGE``.
"""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import ray
from by_hand import HandData, HandModule
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from ray import tune


class Report(Callback):
    """One report a validation."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        tune.report({name: float(value) for name, value in trainer.callback_metrics.items()})


def train(config: dict[str, Any]) -> None:
    """One trial."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    seed_everything(0, verbose=False)
    epochs = config.pop("epochs")
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[Report()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(HandModule(**config), datamodule=HandData())


def space(epochs: int) -> dict[str, Any]:
    """What is searched."""
    return {
        "width": tune.choice([32, 64, 128, 256]),
        "depth": tune.randint(1, 4),
        "dropout": tune.uniform(0.0, 0.5),
        "lr": tune.loguniform(1e-4, 1e-1),
        "epochs": epochs,
    }


def main(trials: int, epochs: int, cpus: int, storage: str) -> None:
    """The whole search."""
    ray.init(address="local", num_cpus=cpus)
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space=space(epochs),
        tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=True, metric="val_acc", mode="max"),
        run_config=tune.RunConfig(storage_path=storage, verbose=0),
    )
    best = tuner.fit().get_best_result()
    print(f"val_acc = {best.metrics['val_acc']:.4f}" if best.metrics else "nothing")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
