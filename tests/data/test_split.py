"""stratified_split: disjoint, complete, in proportion, and decided by its own seed alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raytune_nn.data import stratified_split

LABELS = torch.tensor([0] * 50 + [1] * 20 + [7] * 30)


@given(labels=st.lists(st.integers(0, 3), min_size=40, max_size=120), seed=st.integers(0, 2**31))
def test_the_splits_are_disjoint_and_complete(labels: list[int], seed: int) -> None:
    parts = stratified_split(torch.tensor(labels), 0.25, 0.25, seed)
    rows = [row for part in parts for row in part.tolist()]
    assert sorted(rows) == list(range(len(labels)))
    assert all(part.tolist() == sorted(part.tolist()) for part in parts)


def test_every_split_holds_the_classes_in_proportion() -> None:
    train, val, test = stratified_split(LABELS, 0.2, 0.1, seed=0)
    counts = [{label: LABELS[part].tolist().count(label) for label in (0, 1, 7)} for part in (train, val, test)]
    assert counts == [{0: 35, 1: 14, 7: 21}, {0: 10, 1: 4, 7: 6}, {0: 5, 1: 2, 7: 3}]


def test_the_split_seed_alone_decides() -> None:
    torch.manual_seed(1)
    first = stratified_split(LABELS, 0.2, 0.2, seed=5)
    torch.manual_seed(2)
    again = stratified_split(LABELS, 0.2, 0.2, seed=5)
    other = stratified_split(LABELS, 0.2, 0.2, seed=6)
    assert [part.tolist() for part in first] == [part.tolist() for part in again]
    assert [part.tolist() for part in first] != [part.tolist() for part in other]


def test_the_global_generator_is_not_moved() -> None:
    before = torch.get_rng_state()
    stratified_split(LABELS, 0.2, 0.2, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("val", "test"), [(0.0, 0.2), (0.2, -0.1), (-0.1, 0.2), (0.5, 0.5), (0.9, 0.2)])
def test_fractions_out_of_bounds_are_refused(val: float, test: float) -> None:
    with pytest.raises(ValueError, match=f"must hold, but got val_fraction={val}, test_fraction={test}"):
        stratified_split(LABELS, val, test, seed=0)


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"would hold \(100, 0, 0\)"):
        stratified_split(LABELS, 0.001, 0.001, seed=0)
