"""The handwritten digits that come with scikit-learn: data that needs no network."""

from __future__ import annotations

import gzip
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from raytune_nn.data.arrays import ArrayLoader, check_batch_size
from raytune_nn.data.split import check_fractions, stratified_split

SIDE = 8  # pixels
DARKEST = 16  # the value of a black pixel in the file; white is 0

# Evaluation keeps nothing for a backward pass, so it takes a whole split at once: each batch costs Lightning
# a tenth of a millisecond or more of its own.
EVAL_BATCH_SIZE = 1024


class DigitsDataModule(LightningDataModule):
    """1,797 grey images of 8x8 pixels in ten classes, as batches ``(x, y)``.

    ``x`` is float32 in 0..1 of shape (batch, 64), or (batch, 1, 8, 8) with ``image``; ``y`` is int64 of
    shape (batch,). The data is the test part of Alpaydin & Kaynak 1998, "Optical Recognition of Handwritten
    Digits" (UCI), which scikit-learn carries.

    Args:
        batch_size: Rows in a training batch, for each worker.
        val_fraction: Share of each class for validation.
        test_fraction: Share of each class for the test.
        split_seed: Seed of the split, apart from the trial's seed: all trials are judged on the same rows.
        image: Yield images instead of flat rows.

    Attributes:
        num_features: Numbers in one input.
        num_classes: Classes.
        input_shape: Shape of one input.
        in_channels: Channels of one image.

    Raises:
        ValueError: ``batch_size`` is below one, or the fractions leave nothing to train on.
    """

    num_features = SIDE * SIDE
    num_classes = 10
    in_channels = 1

    def __init__(
        self,
        batch_size: int = 64,
        val_fraction: float = 0.2,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        image: bool = False,
    ) -> None:
        super().__init__()
        check_batch_size(batch_size)
        check_fractions(val_fraction, test_fraction)
        self.batch_size = batch_size
        self.input_shape = (self.in_channels, SIDE, SIDE) if image else (self.num_features,)
        self._split = val_fraction, test_fraction, split_seed
        self._parts: tuple[tuple[Tensor, Tensor], ...] = ()

    def setup(self, stage: str | None = None) -> None:
        """Cut the splits; called again, it changes nothing."""
        if not self._parts:
            x, y = read_digits()
            x = x.reshape(-1, *self.input_shape)
            self._parts = tuple((x[rows], y[rows]) for rows in stratified_split(y, *self._split))

    def train_dataloader(self) -> ArrayLoader:
        """Batches of ``batch_size`` rows, shuffled unless the Trainer wants to overfit on the first ones."""
        rank, world_size = self._place()
        x, y = self._parts[0]
        # Batch norm cannot train on a single row, so a last batch of one is left out.
        single = len(x) // world_size % self.batch_size == 1
        return ArrayLoader(
            x,
            y,
            batch_size=self.batch_size,
            shuffle=not getattr(self.trainer, "overfit_batches", 0),
            drop_last=single,
            rank=rank,
            world_size=world_size,
        )

    def val_dataloader(self) -> ArrayLoader:
        """The validation rows, in order."""
        return self._evaluation(1)

    def test_dataloader(self) -> ArrayLoader:
        """The test rows, in order."""
        return self._evaluation(2)

    def predict_dataloader(self) -> ArrayLoader:
        """The test rows, in order."""
        return self._evaluation(2)

    def _evaluation(self, part: int) -> ArrayLoader:
        rank, world_size = self._place()
        return ArrayLoader(*self._parts[part], batch_size=EVAL_BATCH_SIZE, rank=rank, world_size=world_size)

    def _place(self) -> tuple[int, int]:
        """Rank of this worker and how many there are: Lightning shares out the rows of DataLoaders only."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


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
