"""Small files of every format, and a model, named as the headers of the options name them; they can be learnt."""

from __future__ import annotations

import gzip
import io
import json
import wave
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from raytune_nn.store.journal import Journal

ROWS, CLASSES = 96, 3
WORDS = ("apple", "river", "stone")
RATE = 8000  # samples a second

OWN_MODEL = """
import pytorch_lightning as pl, torch
class Mine(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)
    def training_step(self, batch, batch_idx):
        return self.layer(batch[0].flatten(1)).square().mean()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""


def write_all(folder: Path) -> None:
    """Writes all of them into a folder."""
    random = np.random.default_rng(0)
    classes = np.arange(ROWS) % CLASSES
    pixels = _images(classes, random)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(_idx(pixels))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(_idx(classes.astype(np.uint8)))
    for row, name in enumerate(classes):
        place = folder / "images" / WORDS[name]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[row]).save(place / f"{row}.png")
    for table in ("sms.tsv", "train.tsv", "test.tsv"):
        (folder / table).write_text(_texts(classes, random))
    for table in ("train.csv", "test.csv", "table.csv"):
        (folder / table).write_text(_table(random, "target" if table == "table.csv" else "income"))
    _recordings(folder / "recordings.zip", classes, random)
    (folder / "my_conf/model").mkdir(parents=True)
    (folder / "my_conf/model/mine.yaml").write_text("_target_: mine.Mine\n")
    (folder / "mine.py").write_text(OWN_MODEL)
    _population_study(folder / "studies/pbt")


def _population_study(folder: Path) -> None:
    """A study of PBT with one trial, whose learning rate changed at epoch 3."""
    first = {
        "model.net.depth": 2,
        "model.net.width": 64,
        "model.net.dropout": 0.1,
        "model.net.activation": "relu",
        "optimizer.lr": 0.01,
        "data.batch_size": 64,
    }
    config = {
        "objective": {"metric": "val_acc", "mode": "max", "take": "best"},
        "search": {"scheduler": {"_target_": "raytune_nn.search.pbt.PBT", "perturb": None}},
    }
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(json.dumps(config))
    journal = Journal(folder / "journal")
    journal.append("suggested", trial="0", params=first)
    journal.append("started", trial="0")
    report = {"trial": "0", "step": 3, "seconds": 1.0, "metrics": {"val_acc": 0.5}}
    journal.append("reported", **report, epoch=3, saved=True)
    journal.append("decided", trial="0", epoch=3, decision="pause", reason="")
    journal.append("resumed", trial="0", source="0", params=first | {"optimizer.lr": 0.012}, new=False)
    journal.append("started", trial="0", epoch=3)
    journal.append("reported", **(report | {"metrics": {"val_acc": 0.6}}), epoch=6)
    journal.append("ended", trial="0", state="complete", reason="")
    journal.close()


def _images(classes: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
    """Noise, and a bright bar whose height is the class."""
    pixels = random.integers(0, 64, (len(classes), 12, 12), np.uint8)
    for image, name in zip(pixels, classes, strict=True):
        image[4 * name : 4 * name + 4] += 160
    return pixels


def _idx(array: NDArray[np.uint8]) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(header + array.tobytes())


def _texts(classes: NDArray[np.int64], random: np.random.Generator) -> str:
    """Each text holds the word of its class, among others."""
    lines = ["label\ttext"]
    for name in classes:
        others = random.choice(["red", "blue", "long", "short"], random.integers(1, 6))
        lines.append(f"{WORDS[name]}s\t{' '.join([*others, WORDS[name]])}")
    return "\n".join(lines) + "\n"


def _table(random: np.random.Generator, target: str) -> str:
    """The target follows from two numbers, one in six of the first missing, and a category."""
    lines = [f"age,hours,work,{target}"]
    for row in range(ROWS):
        age, hours, work = random.normal(40, 9), random.normal(30, 5), WORDS[row % CLASSES]
        value = age / 9 + hours / 5 + row % CLASSES
        told = f"{value:.3f}" if target == "target" else (">50K" if value > 11.4 else "<=50K")
        lines.append(f"{'' if row % 6 == 0 else f'{age:.2f}'},{hours:.2f},{work},{told}")
    return "\n".join(lines) + "\n"


def _recordings(path: Path, classes: NDArray[np.int64], random: np.random.Generator) -> None:
    """A fifth of a second each, a tone whose pitch is the class."""
    time = np.arange(RATE // 5) / RATE
    with zipfile.ZipFile(path, "w") as packed:
        for row, name in enumerate(classes):
            samples = 0.2 * np.sin(2 * np.pi * 400 * 2**name * time) + random.normal(0, 0.01, len(time))
            content = io.BytesIO()
            with wave.open(content, "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                file.writeframes((samples * 32767).astype("<i2").tobytes())
            packed.writestr(f"{name}_theo_{row}.wav", content.getvalue())
