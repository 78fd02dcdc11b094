"""The handwritten digits that come with scikit-learn: data that needs no network."""

from __future__ import annotations

import gzip
import importlib.util
from functools import cache
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from raytune_nn.data.arrays import Arrays
from raytune_nn.data.module import ArrayDataModule, ArrayOptions

SIDE = 8  # pixels
DARKEST = 16  # the value of a black pixel in the file; white is 0


class DigitsDataModule(ArrayDataModule):
    """1,797 grey images of 8x8 pixels in ten classes, as batches ``(x, y)``.

    ``x`` is float32 in 0..1 of shape (batch, 64), or (batch, 1, 8, 8) with ``image``; ``y`` is int64 of
    shape (batch,). The data is the test part of Alpaydin & Kaynak 1998, "Optical Recognition of Handwritten
    Digits" (UCI), which scikit-learn carries.

    Args:
        image: Yield images instead of flat rows.
        options: Keywords of `ArrayDataModule`: batch size, splits and folds.

    Attributes:
        num_features: Numbers in one input.
        num_classes: Classes.
        input_shape: Shape of one input.
        in_channels: Channels of one image.

    Raises:
        ValueError: An option breaks its bounds.
    """

    source = "the digits"
    num_features = SIDE * SIDE
    num_classes = 10
    in_channels = 1

    def __init__(self, image: bool = False, **options: Unpack[ArrayOptions]) -> None:
        super().__init__(**options)
        self.input_shape = (self.in_channels, SIDE, SIDE) if image else (self.num_features,)

    def read(self) -> Arrays:
        """All images and their labels."""
        x, y = read_digits()
        return x.reshape(-1, *self.input_shape), y


@cache
def read_digits() -> tuple[Tensor, Tensor]:
    """All rows and their labels, shapes (1797, 64) and (1797,), decoded once a process.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    # Finding the package does not import it: `import sklearn.datasets` would take a second in every worker.
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the digits come with scikit-learn, which is not installed")
    with gzip.open(Path(spec.origin).with_name("datasets") / "data" / "digits.csv.gz", "rt") as file:
        table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.uint8))
    return table[:, :-1].float() / DARKEST, table[:, -1].long()
