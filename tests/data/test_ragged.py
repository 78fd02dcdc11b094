"""Sequences of different lengths: cut, padded, and which items are kept."""

from __future__ import annotations

import numpy as np

from raytune_nn.data.ragged import is_item, kept, pad

STARTS = np.array([0, 3, 3, 5])  # three items, none, two


def test_sequences_are_cut_at_the_end_and_padded_with_zeros() -> None:
    flat = np.array([1, 2, 3, 4, 5], dtype=np.int32)
    assert pad(flat, STARTS, 2).tolist() == [[1, 2], [0, 0], [4, 5]]
    assert pad(flat, STARTS, 4).tolist() == [[1, 2, 3, 0], [0, 0, 0, 0], [4, 5, 0, 0]]
    assert pad(flat, STARTS, 4).dtype == np.int32


def test_items_may_have_a_shape() -> None:
    flat = np.arange(10.0).reshape(5, 2)
    padded = pad(flat, STARTS, 3)
    assert padded.shape == (3, 3, 2)
    assert padded[2].tolist() == [[6, 7], [8, 9], [0, 0]]


def test_masks_tell_items_from_padding() -> None:
    assert is_item(STARTS, 2).tolist() == [[True, True], [False, False], [True, True]]
    assert kept(STARTS, 2).tolist() == [True, True, False, True, True]
