"""A user's module whose trials fail in every way that a process can; imported in the slots."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

BATCHES = 8  # of an epoch


class Unshowable(Exception):
    """Has no text, and cannot be pickled."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Failing(LightningModule):
    """Logs ``val_acc = value + epoch / 1000`` and does what ``does`` says in its second epoch.

    Args:
        value: Also names the trial in the notes.
        does: The name of a function below, ``…_once`` in the first attempt only, ``…_first`` in the first epoch; or
            ``train``; ``long``: three seconds an epoch.
        notes: Folder for ``<value>``, a line an attempt with the process's id.
    """

    def __init__(self, value: float, does: str, notes: str) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.value, self.does, self.note = value, does, Path(notes) / str(value)

    def on_fit_start(self) -> None:
        self.attempt = len(self.note.read_text().splitlines()) + 1 if self.note.exists() else 1
        with self.note.open("a") as file:
            file.write(f"{os.getpid()}\n")

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        does, _, when = self.does.partition("_")
        if self.current_epoch == (when != "first") and not (when == "once" and self.attempt > 1):
            WAYS.get(does, lambda: None)()
        if does == "long":
            time.sleep(3 / BATCHES)
        loss: Tensor = self.weight.square().sum()
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", self.value + (self.current_epoch + 1) / 1000)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Rows(LightningDataModule):
    """A few batches of one row."""

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(torch.zeros(BATCHES, 1)), batch_size=1)

    val_dataloader = train_dataloader


def divide() -> None:
    _ = 1 / int("0")


def misfit() -> None:
    torch.nn.Linear(3, 1)(torch.zeros(1, 4))


def nameless() -> NoReturn:
    raise ValueError


def unshowable() -> NoReturn:
    raise Unshowable


def recurse() -> None:
    recurse()


def leave() -> NoReturn:
    sys.exit("enough")


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def shout() -> NoReturn:
    raise ValueError(f"first {'x' * 10_000_000} last")


def chatter() -> NoReturn:
    def talk() -> None:
        while True:
            print("still here")
            time.sleep(0.01)

    threading.Thread(target=talk, daemon=True).start()
    raise OSError("with a thread that goes on")


def vanish() -> NoReturn:
    os._exit(3)


def crash() -> None:
    ctypes.string_at(0)


def killed() -> None:
    time.sleep(0.5)  # the last report is on its way
    os.kill(os.getpid(), signal.SIGKILL)


def freeze() -> None:
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGSTOP)


def sleep() -> None:
    time.sleep(3600)


WAYS = {
    way.__name__: way
    for way in (divide, misfit, nameless, unshowable, recurse, leave, interrupt, shout, chatter, vanish, crash)
} | {way.__name__: way for way in (killed, freeze, sleep)}
