"""What watching costs: the callbacks that log more curves, another logger, and the table on the terminal.

    .venv/bin/python scripts/bench/watching.py [--epochs 10] [--repeats 15]

The first table is of trainings of the digits with the built-in module and loaders on one thread and a TensorBoard run,
in turns in one process: CPU milliseconds an epoch, and their ratio to the training that nothing is added to, run by
run. The second is the CPU time of one drawing of the live view, of which there are four a second at most. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import io
import logging
import statistics
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from timings import timings_table

TARGETS = "raytune_nn.trial.callbacks"
VARIANTS: dict[str, tuple[str, ...]] = {
    "nothing more": (),
    "`callbacks=learning_rate`": ("LearningRate",),
    "`callbacks=gradient_norm`": ("GradientNorm",),
    "`callbacks=throughput`": ("Throughput",),
    "all three": ("LearningRate", "GradientNorm", "Throughput"),
    "`logger=csv`": ("csv",),
}
TRIALS, EPOCHS = 200, 27


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        train((), 1, Path(folder, "first"))  # which pays what comes once
        for repeat in range(options.repeats):
            for place, (name, parts) in enumerate(VARIANTS.items()):
                times[name].append(train(parts, options.epochs, Path(folder, f"{repeat}-{place}")))
    title = f"{options.repeats} trainings each of {options.epochs} epochs of the digits, one thread"
    print(timings_table(title, ("added", "CPU ms an epoch", "ratio"), times))
    took = statistics.median(drawing() for _ in range(options.repeats))
    share = 400 * took
    print(f"\nA drawing of the live view takes {1000 * took:.1f} ms of CPU: at most {share:.2f}% of the driver's time")


def train(parts: tuple[str, ...], epochs: int, folder: Path) -> float:
    """CPU milliseconds an epoch, validation included, of a training with these parts."""
    import torch
    from pytorch_lightning import Callback, Trainer, seed_everything
    from pytorch_lightning.loggers import CSVLogger

    from raytune_nn.data import DigitsDataModule
    from raytune_nn.nn import MLP, Classification
    from raytune_nn.trial import callbacks
    from raytune_nn.trial.lean_loop import lighten
    from raytune_nn.trial.other_logger import OtherLogger
    from raytune_nn.trial.tensorboard import TrialLogger

    class Module(Classification):
        """With the default optimizer of conf/optimizer/adamw.yaml."""

        def __init__(self) -> None:
            super().__init__(MLP(64, 10, width=128, depth=2), num_classes=10)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=1e-3, fused=True)

    class Clock(Callback):
        """CPU seconds from the first epoch's start to the last one's end; each epoch's points reach the disk."""

        def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
            self.start = time.process_time()

        def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
            ours.log_result((0.5,), best=True)
            ours.flush()

        def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
            self.seconds = time.process_time() - self.start

    torch.set_num_threads(1)
    lighten()
    seed_everything(0, verbose=False)
    ours, clock = TrialLogger(folder, "0", {}, ["val_acc"]), Clock()
    loggers: list[Any] = [ours]
    if "csv" in parts:
        make = partial(CSVLogger, save_dir=str(folder), name="", version="csv")
        loggers.append(OtherLogger(ours, {}, str).open(make))
    Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        num_sanity_val_steps=0,
        logger=loggers,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*(getattr(callbacks, part)() for part in parts if part != "csv"), clock],
    ).fit(Module(), datamodule=DigitsDataModule(batch_size=64, val_fraction=0.2, test_fraction=0.05))
    ours.close(failed=False)
    return 1000 * clock.seconds / epochs


def drawing() -> float:
    """CPU seconds of one, of a study of many trials with eight that run."""
    from rich.console import Console

    from raytune_nn.config import schema
    from raytune_nn.config.objective import Objective
    from raytune_nn.report.live import LiveView
    from raytune_nn.search.asha import ASHA
    from raytune_nn.store.record import StudyRecord

    budget = schema.BudgetConfig(TRIALS, EPOCHS, None, None, None, None, None)
    console = Console(file=io.StringIO(), width=120, height=40, force_terminal=True)
    record, scheduler = StudyRecord(Objective("val_acc", True, schema.Take.best)), ASHA(EPOCHS)
    settings = schema.Config(verbose=1, budget=budget)
    with LiveView(settings, TRIALS, console, slots=8, scheduler=scheduler) as view:

        def tell(type: str, **fields: Any) -> None:
            event = {"type": type, "time": 1.0, **fields}
            record.apply(event)
            view.heard(event, record)

        tell("opened", name="s", torn=0)
        for trial in map(str, range(TRIALS)):
            scheduler.on_start(trial, {})
            tell("suggested", trial=trial, params={"optimizer.lr": 0.0123, "model.net.depth": 3, "model.net.width": 64})
            tell("started", trial=trial)
            for epoch in range(1, EPOCHS):
                tell("reported", trial=trial, epoch=epoch, seconds=1.0, metrics={"val_acc": 1 - 1 / (epoch + 1)})
                scheduler.on_report(trial, epoch, 1 - 1 / (epoch + 1))
            if int(trial) < TRIALS - 8:
                tell("ended", trial=trial, state="stopped")
        start = time.process_time()
        for _ in range(20):
            view._draw()
        return (time.process_time() - start) / 20


if __name__ == "__main__":
    main()
