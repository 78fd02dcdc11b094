"""The base of the data modules here: arrays of rows, cut into splits or folds, and yielded in batches.

A subclass says what differs. ``read`` gives all rows (``read_test`` those of a test file, if there is one), ``fit``
learns from the training rows, and ``transform`` makes of raw rows what a batch holds. In this order: what is learnt
never sees a validation or test row.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any, TypedDict

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from raytune_nn.data.arrays import ArrayLoader, Arrays, check_batch_size
from raytune_nn.data.split import check_split, stratified_split

# Evaluation keeps nothing for a backward pass, so it takes many rows at once: each batch costs Lightning a
# tenth of a millisecond or more of its own. Large rows are limited by what a network makes of them.
EVAL_ROWS, EVAL_NUMBERS = 1024, 2**20


class ArrayOptions(TypedDict, total=False):
    """The keywords of `ArrayDataModule`, which every subclass takes and hands on."""

    batch_size: int | None
    val_fraction: float
    test_fraction: float
    split_seed: int
    train_fraction: float
    folds: int | None
    fold: int
    num_workers: int


class ArrayDataModule(LightningDataModule):
    """Batches of rows that are held or mapped in memory, as tuples of tensors with the labels or targets last.

    Args:
        batch_size: Rows in a training batch, for each worker; none: all training rows in one batch. A
            callback may change the attribute: loaders that are made later follow it.
        val_fraction: Share of the rows for validation, of each class where the rows are stratified.
        test_fraction: Share of the rows for the test; unused where a test file is given. 0: there is no test.
        split_seed: Seed of the split, apart from the trial's seed: all trials are judged on the same rows.
        train_fraction: Share of the training rows that is kept; a larger share holds all rows of a smaller one.
        folds: Parts for cross-validation: training and validation rows together are cut into as many.
        fold: The part that validates, from 0.
        num_workers: Processes that cut batches ahead; 0 cuts them in this process, which is faster for arrays
            that fit in memory.

    Attributes:
        source: Where the rows come from, for messages; a subclass sets it, as it does ``test_source``.
        stratified: Whether the last array holds classes, as int64 of shape (rows,), to be kept in proportion.
        transform_batches: Whether ``transform`` sees each batch as it is cut, instead of all rows at once: for
            rows that it makes larger, or that are mapped from a file.
        num_classes: Classes (if stratified); from ``setup`` on, unless the subclass knows it earlier.
        class_weights: Weight of each class that makes all weigh the same in sum, training rows / (classes x
            training rows of the class), 0 for a class without any (if stratified); from ``setup`` on.

    Raises:
        ValueError: An argument breaks its bounds; from ``setup``: the rows break a rule.
    """

    source = "the data"
    test_source = "the test data"
    stratified = True
    transform_batches = False
    num_classes: int
    class_weights: list[float]

    def __init__(
        self,
        batch_size: int | None = 64,
        val_fraction: float = 0.2,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        train_fraction: float = 1.0,
        folds: int | None = None,
        fold: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        if batch_size is not None:
            check_batch_size(batch_size)
        if num_workers < 0:
            raise ValueError(f"num_workers >= 0 must hold, but got {num_workers}")
        check_split(val_fraction, test_fraction, train_fraction, folds, fold)
        self.batch_size, self.num_workers = batch_size, num_workers
        self.val_fraction, self.test_fraction, self.split_seed = val_fraction, test_fraction, split_seed
        self.train_fraction, self.folds, self.fold = train_fraction, folds, fold
        self._parts: dict[str, tuple[Arrays, Tensor]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Spell out what ``**options`` stands for, so that a mistyped keyword is found by the signature alone."""
        super().__init_subclass__(**keywords)
        own = inspect.signature(cls.__init__)
        given = [p for name, p in own.parameters.items() if name != "self" and p.kind is not p.VAR_KEYWORD]
        if len(given) + 1 < len(own.parameters):
            names = [p.name for p in given]
            shared = inspect.signature(cls.__mro__[1]).parameters.values()
            given += [p.replace(kind=p.KEYWORD_ONLY) for p in shared if p.name not in names]
        cls.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]

    @abstractmethod
    def read(self) -> Arrays:
        """All rows, or those of the training file; labels or targets last."""

    def read_test(self) -> Arrays | None:
        """The rows of a test file, or none, where the test rows are cut from the others; called after ``read``."""
        return None

    def fit(self, arrays: Arrays, rows: Tensor) -> None:
        """Learn from the training rows what ``transform`` needs.

        Args:
            arrays: What ``read`` gave.
            rows: Numbers of the training rows, ascending.
        """

    def transform(self, arrays: Arrays) -> Arrays:
        """What a batch holds, made of raw rows; by default the rows as they are."""
        return arrays

    def setup(self, stage: str | None = None) -> None:
        """Read, cut and transform; called again, it changes nothing."""
        if self._parts:
            return
        arrays, test = self.read(), self.read_test()
        self._check(arrays, self.source)
        if test is not None:
            self._check(test, self.test_source)
        if self.stratified and bool((arrays[-1] == arrays[-1][0]).all()):
            raise ValueError(f"{self.source}: two classes must be there, but all rows are of class {arrays[-1][0]}")
        groups = arrays[-1] if self.stratified else torch.zeros(len(arrays[-1]))
        train_rows, val_rows, test_rows = stratified_split(
            groups,
            self.val_fraction,
            self.test_fraction if test is None else 0.0,
            self.split_seed,
            train_fraction=self.train_fraction,
            folds=self.folds,
            fold=self.fold,
        )
        if self.stratified:
            counts = arrays[-1][train_rows].bincount(minlength=self.num_classes).tolist()
            self.class_weights = [len(train_rows) / (len(counts) * count) if count else 0.0 for count in counts]
        self.fit(arrays, train_rows)
        if test is not None:
            test_rows = torch.arange(len(test[-1]))
        if not self.transform_batches:
            arrays, test = self.transform(arrays), None if test is None else self.transform(test)
        self._parts = {
            "train": (arrays, train_rows),
            "val": (arrays, val_rows),
            "test": (arrays if test is None else test, test_rows),
        }

    def train_dataloader(self) -> ArrayLoader:
        """Batches of ``batch_size`` rows, shuffled unless the Trainer wants to overfit on the first ones."""
        _, rows = self._parts["train"]
        _, world_size = self._place()
        batch_size = len(rows) if self.batch_size is None else self.batch_size
        share = len(rows) // world_size
        return self._loader(
            "train",
            batch_size,
            shuffle=not getattr(self.trainer, "overfit_batches", 0),
            # Batch norm cannot train on a single row, so a last batch of one is left out.
            drop_last=share > batch_size and share % batch_size == 1,
        )

    def val_dataloader(self) -> ArrayLoader:
        """The validation rows, in order."""
        return self._evaluation("val")

    def test_dataloader(self) -> ArrayLoader:
        """The test rows, in order.

        Raises:
            ValueError: There are none.
        """
        if not len(self._parts["test"][1]):
            raise ValueError(f"test_fraction > 0 must hold to test, but got {self.test_fraction}")
        return self._evaluation("test")

    def predict_dataloader(self) -> ArrayLoader:
        """The test rows, in order."""
        return self.test_dataloader()

    def _evaluation(self, part: str) -> ArrayLoader:
        numbers = max(1, self._parts[part][0][0][0].numel())
        # What fits while training fits without a backward pass.
        return self._loader(part, max(self.batch_size or 1, min(EVAL_ROWS, EVAL_NUMBERS // numbers)))

    def _loader(self, part: str, batch_size: int, shuffle: bool = False, drop_last: bool = False) -> ArrayLoader:
        arrays, rows = self._parts[part]
        rank, world_size = self._place()
        return ArrayLoader(
            *arrays,
            batch_size=batch_size,
            rows=rows,
            transform=self.transform if self.transform_batches else None,
            shuffle=shuffle,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
            num_workers=self.num_workers,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
        )

    def _place(self) -> tuple[int, int]:
        """Rank of this worker and how many there are: Lightning shares out the rows of DataLoaders only."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _check(self, arrays: Arrays, source: str) -> None:
        counts = [len(array) for array in arrays]
        if len(set(counts)) != 1 or not counts[0]:
            raise ValueError(f"{source}: all arrays must have the same number of rows, at least one, but got {counts}")
        if not self.stratified:
            return
        labels = arrays[-1]
        if not hasattr(self, "num_classes"):
            self.num_classes = int(labels.max()) + 1
        wrong = ((labels < 0) | (labels >= self.num_classes)).nonzero().flatten()
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(
                f"{source}: 0 <= label < {self.num_classes} (classes) must hold, but row {row} has {int(labels[row])}"
            )
