"""From numbers and categories to the inputs of a network, by what the training rows say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NumberFeatures:
    """Columns of numbers with the missing ones filled by the median, then standardised.

    Attributes:
        median: Of each column, over the training rows that have a value.
        mean: Of each column when filled.
        scale: Standard deviation of each when filled, 1 where it never changes.
        indicated: Columns that get a second feature, 1 where the number is missing and else 0.
    """

    median: Numbers
    mean: Numbers
    scale: Numbers
    indicated: npt.NDArray[np.intp]

    @classmethod
    def fit(cls, train: Numbers, missing_indicator: bool) -> NumberFeatures:
        """Learns from the training rows.

        Args:
            train: Shape (rows, columns), NaN where a number is missing.
            missing_indicator: Give every column that misses a number a feature that says so.
        """
        missing = np.isnan(train)
        # A column without any number is filled with zeros.
        columns = [column[~gone] for column, gone in zip(train.T, missing.T, strict=True)]
        median = np.array([np.median(column) if len(column) else 0.0 for column in columns])
        filled = np.where(missing, median, train)
        # Rounding gives a constant column a standard deviation that is tiny, but not zero.
        scale = np.where(np.ptp(filled, axis=0) > 0, filled.std(0), 1.0)
        indicated = np.flatnonzero(missing.any(0)) if missing_indicator else np.array([], dtype=np.intp)
        return cls(median, filled.mean(0), scale, indicated)

    def __call__(self, numbers: Numbers) -> Features:
        """Features of any rows, shape (rows, columns + indicated)."""
        missing = np.isnan(numbers)
        standard = (np.where(missing, self.median, numbers) - self.mean) / self.scale
        return np.concatenate([standard, missing[:, self.indicated]], axis=1).astype(np.float32)


@dataclass(frozen=True)
class CategoryFeatures:
    """One column of categories as one-hot features.

    Each category with enough training rows has a feature; a missing field is a category too, however rare. All
    others share one feature, if a training row has it; a category that training never saw is one of those.

    Attributes:
        places: Feature of each category and, at the end, of a missing field; ``width`` where it has none.
        width: Features.
    """

    places: npt.NDArray[np.intp]
    width: int

    @classmethod
    def fit(cls, train: Codes, categories: int, min_count: int) -> CategoryFeatures:
        """Learns from the training rows.

        Args:
            train: Category of each row, shape (rows,); ``categories`` where the field is missing.
            categories: How many categories the files hold.
            min_count: Training rows that give a category a feature of its own.
        """
        counts = np.bincount(train, minlength=categories + 1)
        own = counts >= max(min_count, 1)
        own[categories] = counts[categories] > 0
        width = int(own.sum())
        places = np.where(own, np.cumsum(own) - 1, width)
        shared = bool(counts[~own].any())
        return cls(places, width + shared)

    def __call__(self, codes: Codes) -> Features:
        """Features of any rows, shape (rows, width)."""
        # The last one takes those without a feature, and is cut off.
        return np.eye(self.width + 1, dtype=np.float32)[self.places[codes]][:, : self.width]


@dataclass(frozen=True)
class TableFeatures:
    """All columns of a table as features: the numbers, then each column of categories."""

    numbers: NumberFeatures
    categories: list[CategoryFeatures]

    @classmethod
    def fit(
        cls, numbers: Numbers, codes: Codes, sizes: list[int], min_count: int, missing_indicator: bool
    ) -> TableFeatures:
        """Learns from the training rows.

        Args:
            numbers: Shape (rows, numeric columns).
            codes: Categories, shape (rows, columns of categories).
            sizes: How many categories each of those columns has.
            min_count: Training rows that give a category a feature of its own.
            missing_indicator: Give every column that misses a number a feature that says so.
        """
        columns = zip(codes.T, sizes, strict=True)
        return cls(
            NumberFeatures.fit(numbers, missing_indicator),
            [CategoryFeatures.fit(column, size, min_count) for column, size in columns],
        )

    def __call__(self, numbers: Numbers, codes: Codes) -> Features:
        """Features of any rows, shape (rows, features)."""
        one_hot = [category(column) for category, column in zip(self.categories, codes.T, strict=True)]
        return np.concatenate([self.numbers(numbers), *one_hot], axis=1)
