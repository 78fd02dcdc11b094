"""Cutting a labelled data set into training, validation and test rows."""

from __future__ import annotations

import torch
from torch import Tensor


def stratified_split(
    labels: Tensor, val_fraction: float, test_fraction: float, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Row numbers of the training, validation and test split, each ascending.

    Every class is cut by itself, so that all splits hold the classes in the proportions of the whole. The
    seed alone decides: torch's global generator is neither read nor moved, so trials with different seeds
    are judged on the same rows.

    Args:
        labels: Class of each row, shape (rows,).
        val_fraction: Share of each class for validation, ``0 < val_fraction < 1``.
        test_fraction: Share of each class for the test, ``0 < test_fraction < 1``; the sum is below 1.
        seed: Seed of the split.

    Raises:
        ValueError: The fractions break their bounds, or leave a split without any row.
    """
    check_fractions(val_fraction, test_fraction)
    generator = torch.Generator().manual_seed(seed)
    parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    for label in sorted(set(labels.tolist())):
        rows = (labels == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        val, test = round(len(rows) * val_fraction), round(len(rows) * test_fraction)
        for part, chunk in zip(parts, rows.split([len(rows) - val - test, val, test]), strict=True):
            part.append(chunk)
    train_rows, val_rows, test_rows = (torch.cat(part).sort().values for part in parts)
    sizes = len(train_rows), len(val_rows), len(test_rows)
    if 0 in sizes:
        raise ValueError(f"every split must hold a row, but train, val, test would hold {sizes}")
    return train_rows, val_rows, test_rows


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Check that both shares are positive and leave something to train on.

    Raises:
        ValueError: They do not.
    """
    if not (val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1):
        raise ValueError(
            "val_fraction > 0, test_fraction > 0 and val_fraction + test_fraction < 1 must hold, "
            f"but got val_fraction={val_fraction}, test_fraction={test_fraction}"
        )
