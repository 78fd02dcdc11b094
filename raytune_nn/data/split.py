"""Cutting a data set into training, validation and test rows, once or in folds."""

from __future__ import annotations

import torch
from torch import Tensor


def stratified_split(
    labels: Tensor,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    *,
    train_fraction: float = 1.0,
    folds: int | None = None,
    fold: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Row numbers of the training, validation and test split, each ascending.

    Every class is cut by itself, so that all splits hold the classes in the proportions of the whole. The
    seed alone decides: torch's global generator is neither read nor moved, so trials with different seeds
    are judged on the same rows.

    Args:
        labels: Class of each row, shape (rows,); where nothing is to be kept in proportion, all the same.
        val_fraction: Share of each class for validation, ``0 < val_fraction < 1``; with ``folds``, a part of
            the folds takes its place.
        test_fraction: Share of each class for the test, ``0 <= test_fraction < 1``; the sum is below 1.
        seed: Seed of the split.
        train_fraction: Share of each class's training rows that is kept, ``0 < train_fraction <= 1``, at
            least one row of it. Of two shares, the larger one holds all rows of the smaller one.
        folds: Cut all rows but those of the test into this many parts, for cross-validation: each row
            validates in one fold and trains in all others. The test rows are those of the plain split.
        fold: The part that validates, ``0 <= fold < folds``.

    Raises:
        ValueError: An argument breaks its bounds, or a split would be left without any row.
    """
    check_split(val_fraction, test_fraction, train_fraction, folds, fold)
    generator = torch.Generator().manual_seed(seed)
    parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    dealt = 0
    for label in labels.unique():  # type: ignore[no-untyped-call]
        rows = (labels == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        test = round(len(rows) * test_fraction)
        rows, test_rows = rows.split([len(rows) - test, test])
        if folds is None:
            val = round((len(rows) + test) * val_fraction)
            train_rows, val_rows = rows.split([len(rows) - val, val])
        else:
            # Dealt like cards from class to class, so that the folds differ by a row at most, in each class
            # and in all.
            validates = (torch.arange(len(rows)) + dealt) % folds == fold
            train_rows, val_rows = rows[~validates], rows[validates]
            dealt += len(rows)
        kept = max(1, round(len(train_rows) * train_fraction))
        for part, chunk in zip(parts, (train_rows[:kept], val_rows, test_rows), strict=True):
            part.append(chunk)
    return _joined(*parts, test_wanted=test_fraction > 0)


def check_split(val_fraction: float, test_fraction: float, train_fraction: float, folds: int | None, fold: int) -> None:
    """Check that the shares leave something to train and to validate on, and that the fold exists.

    Raises:
        ValueError: They do not, or it does not.
    """
    if not (val_fraction > 0 and test_fraction >= 0 and val_fraction + test_fraction < 1):
        raise ValueError(
            "val_fraction > 0, test_fraction >= 0 and val_fraction + test_fraction < 1 must hold, "
            f"but got val_fraction={val_fraction}, test_fraction={test_fraction}"
        )
    if not 0 < train_fraction <= 1:
        raise ValueError(f"0 < train_fraction <= 1 must hold, but got {train_fraction}")
    if folds is not None and (isinstance(folds, bool) or not isinstance(folds, int) or folds < 2):
        raise ValueError(f"folds must be a whole number >= 2, or null for one plain split, but got {folds!r}")
    if not 0 <= fold < (folds or 1):
        raise ValueError(f"0 <= fold < folds must hold, but got fold={fold}, folds={folds}")


def _joined(
    train: list[Tensor], val: list[Tensor], test: list[Tensor], test_wanted: bool
) -> tuple[Tensor, Tensor, Tensor]:
    train_rows, val_rows, test_rows = (torch.cat(part).sort().values for part in (train, val, test))
    sizes = len(train_rows), len(val_rows), len(test_rows)
    if 0 in (sizes if test_wanted else sizes[:2]):
        raise ValueError(f"every split must hold a row, but train, val, test would hold {sizes}")
    return train_rows, val_rows, test_rows
