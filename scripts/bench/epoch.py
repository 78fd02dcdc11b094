"""An epoch of the embedded digits through our loaders and through torch's, interleaved, on one thread.

    .venv/bin/python scripts/bench/epoch.py [--epochs 10] [--repeats 7]

Module, Trainer and batches of 64 shuffled rows are the same. Ours validates on all validation rows at once;
``DataLoader(TensorDataset)`` does so once in batches of 64, as one usually writes it, and once in one batch like ours.
Prints a Markdown table of milliseconds an epoch, its validation included, and of ratios of ours to each of the others,
pair by pair: median (min to max).
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable, Iterable

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from timings import timings_table
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from raytune_nn.data import DigitsDataModule
from raytune_nn.nn import MLP, Classification

BATCH_SIZE = 64
Loader = Iterable[tuple[Tensor, ...]]


class Module(Classification):
    """The default network and optimizer of conf/model/mlp.yaml and conf/optimizer/adamw.yaml."""

    def __init__(self) -> None:
        super().__init__(MLP(64, 10, norm="layer"), num_classes=10)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, fused=True)


class Clock(Callback):
    """Seconds from the first epoch's start to the last one's end."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds = time.perf_counter() - self.start


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    data = DigitsDataModule(image=True, batch_size=BATCH_SIZE)
    data.setup("fit")
    makers = loaders(data)
    for make in makers.values():
        measure(make, 1)  # what only the first training pays
    times: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for name, make in makers.items():
            times.setdefault(name, []).append(measure(make, options.epochs))
    title = f"{options.repeats} trainings each of {options.epochs} epochs of the digits, one thread"
    print(timings_table(title, ("loaders", "ms an epoch", "ours / this"), times, lambda ours, this: ours / this))


def loaders(data: DigitsDataModule) -> dict[str, Callable[[], tuple[Loader, Loader]]]:
    """What is compared, each as a maker of the loaders of training and validation rows; ours comes first."""
    train, val = (rows(loader) for loader in (data.train_dataloader(), data.val_dataloader()))

    def torchs(val_batch_size: int) -> tuple[Loader, Loader]:
        return DataLoader(train, BATCH_SIZE, shuffle=True), DataLoader(val, val_batch_size)

    return {
        "data=digits": lambda: (data.train_dataloader(), data.val_dataloader()),
        "DataLoader(TensorDataset)": lambda: torchs(BATCH_SIZE),
        "DataLoader(TensorDataset), validation in one batch": lambda: torchs(len(val)),
    }


def rows(loader: Loader) -> TensorDataset:
    """All rows that a loader yields."""
    return TensorDataset(*(torch.cat(part) for part in zip(*loader, strict=True)))


def measure(make: Callable[[], tuple[Loader, Loader]], epochs: int) -> float:
    """Milliseconds an epoch of one training from the same initial weights."""
    seed_everything(0, verbose=False)
    clock = Clock()
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock],
    )
    train, val = make()
    trainer.fit(Module(), train_dataloaders=train, val_dataloaders=val)
    return 1000 * clock.seconds / epochs


if __name__ == "__main__":
    main()
