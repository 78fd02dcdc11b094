"""Sequences of different lengths: held end to end in a file, cut and padded to one length for a network."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)


def pad(flat: npt.NDArray[Number], starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[Number]:
    """One row a sequence, shape (sequences, length, …): its first ``length`` items, then zeros.

    Args:
        flat: All sequences end to end, shape (items, …).
        starts: Where each begins in ``flat``, and the end of the last, shape (sequences + 1,).
        length: Items in a row.
    """
    padded = np.zeros((len(starts) - 1, length, *flat.shape[1:]), flat.dtype)
    padded[is_item(starts, length)] = flat[kept(starts, length)]
    return padded


def is_item(starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_]:
    """True for items and false for padding, shape (sequences, length)."""
    mask: npt.NDArray[np.bool_] = np.arange(length) < np.diff(starts)[:, None]
    return mask


def kept(starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_]:
    """True for the items that cutting to ``length`` leaves, shape (items,)."""
    place = np.arange(starts[-1]) - np.repeat(starts[:-1], np.diff(starts))
    return place < length
