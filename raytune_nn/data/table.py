"""Tables in CSV files: numbers and categories as features, a class or a number as the target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from raytune_nn.data.arrays import Arrays
from raytune_nn.data.cache import Named, cached
from raytune_nn.data.csv_table import CsvTable, read_csv
from raytune_nn.data.labels import class_numbers, find_classes
from raytune_nn.data.module import ArrayDataModule, ArrayOptions
from raytune_nn.data.pca import check_pca, principal_components
from raytune_nn.data.table_features import TableFeatures

TASKS = ("classification", "regression")


class TableDataModule(ArrayDataModule):
    """Rows of a table as batches ``(x, y)``.

    ``x`` is float32 of shape (batch, num_features): numbers standardised on the training rows, categories as
    one-hot features. ``y`` is int64 of shape (batch,), or in a regression float32 in its own units. Column kinds,
    missing fields (`raytune_nn.data.csv_table.MISSING`) and what becomes of them: a column is numeric if all its
    fields are numbers; a missing number is the median of the training rows; a missing category is a category.

    Args:
        path: A CSV file in UTF-8 with a header.
        target: Column of the classes or of the numbers to be predicted.
        task: classification or regression.
        test_path: A file of test rows with the same columns; else they are cut from the first file.
        columns: Columns that are features; none: all but the target and those in ``drop``.
        drop: Columns that are not features.
        categorical: Columns of numbers that name categories, such as postal codes.
        min_count: Training rows that give a category a feature of its own; the rarer ones share a feature.
        missing_indicator: Give each column with missing numbers a second feature that is 1 where one is missing.
        pca: Replace the features by their principal components: how many, or the share of the variance of the
            training rows that they must explain. None keeps the features.
        options: Those of `ArrayDataModule`.

    Attributes:
        num_features: Numbers in one input; from ``setup`` on, as all below.
        num_classes: Classes (in a classification).
        class_names: Their names, in the order of their numbers (in a classification).
        num_targets: 1 (in a regression).
        target_mean: Mean of the training rows' targets (in a regression).
        target_scale: Their standard deviation (in a regression).

    Raises:
        ValueError: An argument breaks its bounds; from ``setup``: a file cannot be read, columns are absent or
            named twice, a row is ragged, a number is infinite or text, a target is missing, or all are the same.
    """

    num_features: int
    class_names: list[str]
    num_targets: int
    target_mean: float
    target_scale: float

    def __init__(
        self,
        path: str,
        target: str,
        task: str = "classification",
        test_path: str | None = None,
        columns: Sequence[str] | None = None,
        drop: Sequence[str] = (),
        categorical: Sequence[str] = (),
        min_count: int = 10,
        missing_indicator: bool = True,
        pca: int | float | None = None,
        **options: Unpack[ArrayOptions],
    ) -> None:
        super().__init__(**options)
        if task not in TASKS:
            raise ValueError(f"task must be {' or '.join(TASKS)}, but got {task!r}")
        if target in (columns or ()):
            raise ValueError(f"the target must not be a feature, but {target!r} is in columns")
        if min_count < 1:
            raise ValueError(f"min_count >= 1 must hold, but got {min_count}")
        check_pca(pca)
        self.paths = [path] if test_path is None else [path, test_path]
        self.source, self.test_source = path, str(test_path)
        self.target, self.task, self.stratified = target, task, task == "classification"
        self.columns = None if columns is None else list(columns)
        self.drop, self.categorical = list(drop), list(categorical)
        self.min_count, self.missing_indicator, self.pca = min_count, missing_indicator, pca

    def read(self) -> Arrays:
        """Numbers (NaN where one is missing), categories (as numbers, from 0 in each column), and targets."""
        self._files = self._decoded()
        if self.stratified:
            self.class_names = self._files["classes"].tolist()
            self.num_classes = len(self.class_names)
        return self._rows(0)

    def read_test(self) -> Arrays | None:
        """The same of the test file."""
        return self._rows(1) if len(self.paths) > 1 else None

    def fit(self, arrays: Arrays, rows: Tensor) -> None:
        """Learn medians, scales, frequent categories, directions and the target's scale from the training rows."""
        numbers, codes, targets = (array[rows].numpy() for array in arrays)
        sizes = self._files["sizes"].tolist()
        self._features = TableFeatures.fit(numbers, codes, sizes, self.min_count, self.missing_indicator)
        features = self._features(numbers, codes)
        self._components = None if self.pca is None else principal_components(features, self.pca)
        self.num_features = (features if self._components is None else self._components[1]).shape[1]
        if not self.stratified:
            self.num_targets = 1
            self.target_mean, self.target_scale = float(targets.mean()), float(targets.std())
            if np.ptp(targets) == 0:
                raise ValueError(
                    f"{self.source}, column {self.target!r}: the target must vary in the training rows, "
                    f"but is {targets[0]} in all {len(rows)}"
                )

    def transform(self, arrays: Arrays) -> Arrays:
        """Features of rows, and their targets."""
        features = self._features(arrays[0].numpy(), arrays[1].numpy())
        if self._components is not None:
            mean, directions = self._components
            features = ((features - mean) @ directions).astype(np.float32)
        return torch.from_numpy(features), arrays[2] if self.stratified else arrays[2].float()

    def _rows(self, file: int) -> Arrays:
        numbers, codes, targets = (
            torch.from_numpy(self._files[f"{name}{file}"]) for name in ("numbers", "codes", "targets")
        )
        return numbers, codes, targets

    def _decoded(self) -> Named:
        options = self.target, self.stratified, self.columns, self.drop, self.categorical
        return cached("table 1", map(Path, self.paths), {"": options}, partial(decode_tables, self.paths, *options))


def decode_tables(
    paths: list[str],
    target: str,
    classification: bool,
    columns: list[str] | None,
    drop: list[str],
    categorical: list[str],
) -> Named:
    """Numbers, categories and targets of the training file and, if there is a second one, of the test file.

    Args:
        paths: One or two CSV files.
        target: Column of the target.
        classification: Whether the target names classes.
        columns: As in `TableDataModule`, and the others too.
        drop: Columns that are not features.
        categorical: Columns of numbers that name categories.

    Returns:
        For file ``n`` ``numbersn``, float64 of shape (rows, numeric columns), NaN where one is missing; ``codesn``,
        int32 of shape (rows, columns of categories), one past the last category where it is missing; ``targetsn``
        of shape (rows,), float64 or a class as int64. ``sizes``, how many categories each column has, and
        ``classes``, the names of the target's.

    Raises:
        ValueError: As `TableDataModule`.
    """
    text = [*categorical, *([target] if classification else [])]
    first = read_csv(paths[0], [target, *(columns or []), *drop, *categorical], text)
    features = columns or [name for name in first.frame.columns if name not in (target, *drop)]
    if not features:
        raise ValueError(f"{paths[0]}: a table needs a column beside its target {target!r}, but none is left")
    numeric = [name for name in features if name not in categorical and first.is_numeric(name)]
    named = [name for name in features if name not in numeric]
    tables = [first, *(read_csv(path, [target, *features], [*text, *named]) for path in paths[1:])]
    arrays: Named = {}
    for file, table in enumerate(tables):
        numbers = [table.numbers(name) for name in numeric]
        arrays[f"numbers{file}"] = np.array(numbers).T.copy() if numbers else np.zeros((len(table.lines), 0))
    return arrays | _codes(tables, named) | (_classes(tables, target) if classification else _targets(tables, target))


def _codes(tables: list[CsvTable], named: list[str]) -> Named:
    """Categories as their places in the alphabet, over all files."""
    import pandas as pd

    ends = np.cumsum([len(table.lines) for table in tables])
    codes, sizes = np.zeros((ends[-1], len(named)), np.int32), np.zeros(len(named), np.int64)
    for place, name in enumerate(named):
        column, categories = pd.factorize(pd.concat([table.frame[name].str.strip() for table in tables]), sort=True)
        sizes[place] = len(categories)
        codes[:, place] = np.where(column < 0, len(categories), column)
    return {f"codes{file}": part for file, part in enumerate(np.split(codes, ends[:-1]))} | {"sizes": sizes}


def _classes(tables: list[CsvTable], target: str) -> Named:
    labels = [table.classes(target) for table in tables]
    classes = find_classes(labels[0], f"{tables[0].path}, column {target!r}")
    arrays: Named = {"classes": np.array(classes)}
    for file, (table, names) in enumerate(zip(tables, labels, strict=True)):
        arrays[f"targets{file}"] = class_numbers(names, classes, partial(table.place, column=target))
    return arrays


def _targets(tables: list[CsvTable], target: str) -> Named:
    return {f"targets{file}": table.numbers(target, needed=True) for file, table in enumerate(tables)}
