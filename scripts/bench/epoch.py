"""An epoch of the digits on one thread: in Lightning as it is, in a trial, and with the built-in module and loaders.

    .venv/bin/python scripts/bench/epoch.py [--epochs 10] [--repeats 7]

Network, batches of 64 shuffled rows and learning rate are the same: the peers' module with its
``DataLoader(TensorDataset)`` (``peers/by_hand.py``) twice, then ours. Each training runs in a process of its own, one
after another. Prints a Markdown table of milliseconds an epoch, its validation included, and of ratios to the first,
run by run: median (min to max).
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import time
import warnings
from pathlib import Path

from timings import timings_table

PEERS = Path(__file__).resolve().parent / "peers"
VARIANTS = {
    "plain": "a module by hand, Lightning as it is",
    "trial": "the same module and loaders, in a trial",
    "built in": "built-in module and loaders, in a trial",
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--variant", choices=VARIANTS, help="trains this one here and prints its milliseconds")
    options = parser.parse_args()
    if options.variant:
        print(train(options.variant, options.epochs))
        return
    times: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for variant, name in VARIANTS.items():
            command = [sys.executable, __file__, "--variant", variant, "--epochs", str(options.epochs)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            times.setdefault(name, []).append(float(done.stdout))
    title = f"{options.repeats} trainings each of {options.epochs} epochs of the digits, one thread"
    print(timings_table(title, ("training", "ms an epoch", "ratio"), times))


def train(variant: str, epochs: int) -> float:
    """Milliseconds an epoch, after a first training that pays what comes once."""
    sys.path.insert(0, str(PEERS))
    import torch
    from by_hand import HandData, HandModule
    from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer, seed_everything

    from raytune_nn.data import DigitsDataModule
    from raytune_nn.nn import MLP, Classification
    from raytune_nn.trial.lean_loop import lighten

    class BuiltIn(Classification):
        """With the default optimizer of conf/optimizer/adamw.yaml."""

        def __init__(self) -> None:
            super().__init__(MLP(64, 10, width=128, depth=2), num_classes=10)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=1e-3, fused=True)

    class Clock(Callback):
        """Seconds from the first epoch's start to the last one's end."""

        seconds = 0.0

        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.start = time.perf_counter()

        def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.seconds = time.perf_counter() - self.start

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    if variant != "plain":
        lighten()
    clock = Clock()
    for length in (1, epochs):
        seed_everything(0, verbose=False)
        module: LightningModule = BuiltIn() if variant == "built in" else HandModule()
        data: LightningDataModule = HandData()
        if variant == "built in":
            data = DigitsDataModule(batch_size=64, val_fraction=0.2, test_fraction=0.05)
        Trainer(
            max_epochs=length,
            accelerator="cpu",
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock],
        ).fit(module, datamodule=data)
    return 1000 * clock.seconds / epochs


if __name__ == "__main__":
    main()
