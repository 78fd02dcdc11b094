"""stratified_split: disjoint, complete, in proportion, and decided by its own seed alone."""

from __future__ import annotations

from typing import Any

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


label_lists = st.lists(st.integers(0, 3), min_size=40, max_size=120)


@given(labels=label_lists, folds=st.integers(2, 7), seed=st.integers(0, 2**31))
def test_each_row_but_those_of_the_test_validates_in_one_fold_and_trains_in_the_others(
    labels: list[int], folds: int, seed: int
) -> None:
    cuts = [stratified_split(torch.tensor(labels), 0.3, 0.2, seed, folds=folds, fold=fold) for fold in range(folds)]
    plain_test = stratified_split(torch.tensor(labels), 0.3, 0.2, seed)[2].tolist()
    others = sorted(set(range(len(labels))) - set(plain_test))
    assert sorted(row for _, val, _ in cuts for row in val.tolist()) == others
    for train, val, test in cuts:
        assert test.tolist() == plain_test
        assert sorted(train.tolist() + val.tolist()) == others


@given(labels=label_lists, folds=st.integers(2, 7))
def test_folds_differ_by_one_row_at_most_in_each_class_and_in_all(labels: list[int], folds: int) -> None:
    vals = [stratified_split(torch.tensor(labels), 0.3, 0.0, 0, folds=folds, fold=fold)[1] for fold in range(folds)]
    counts = torch.stack([torch.tensor(labels)[val].bincount(minlength=4) for val in vals])
    assert int((counts.max(0).values - counts.min(0).values).max()) <= 1
    assert int(counts.sum(1).max() - counts.sum(1).min()) <= 1


shares = st.floats(0.01, 1.0)


@given(labels=label_lists, some=shares, more=shares, folds=st.sampled_from([None, 3]))
def test_a_larger_share_of_the_training_rows_holds_the_smaller_one(
    labels: list[int], some: float, more: float, folds: int | None
) -> None:
    some, more = sorted((some, more))
    small, large = (
        stratified_split(torch.tensor(labels), 0.2, 0.2, 0, train_fraction=share, folds=folds) for share in (some, more)
    )
    assert set(small[0].tolist()) <= set(large[0].tolist())
    assert [part.tolist() for part in small[1:]] == [part.tolist() for part in large[1:]]


def test_the_share_of_the_training_rows_holds_the_classes_in_proportion() -> None:
    train, _, _ = stratified_split(LABELS, 0.2, 0.2, seed=0, train_fraction=0.5)
    assert LABELS[train].bincount().tolist() == [15, 6, 0, 0, 0, 0, 0, 9]
    few, _, _ = stratified_split(LABELS, 0.2, 0.2, seed=0, train_fraction=0.001)
    assert LABELS[few].bincount().tolist() == [1, 1, 0, 0, 0, 0, 0, 1]


def test_without_a_test_all_rows_train_or_validate() -> None:
    train, val, test = stratified_split(LABELS, 0.2, 0.0, seed=0)
    assert (len(train), len(val), len(test)) == (80, 20, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_fraction": 0.0}, "0 < train_fraction <= 1 must hold, but got 0.0"),
        ({"train_fraction": 1.5}, "0 < train_fraction <= 1 must hold, but got 1.5"),
        ({"folds": 1}, "folds must be a whole number >= 2, or null for one plain split, but got 1"),
        ({"folds": 2.5}, "but got 2.5"),
        ({"folds": 3, "fold": 3}, "0 <= fold < folds must hold, but got fold=3, folds=3"),
        ({"folds": 3, "fold": -1}, "0 <= fold < folds must hold, but got fold=-1, folds=3"),
        ({"fold": 1}, "0 <= fold < folds must hold, but got fold=1, folds=None"),
        ({"folds": 200, "fold": 150}, "every split must hold a row"),
    ],
)
def test_impossible_folds_and_shares_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stratified_split(LABELS, 0.2, 0.2, 0, **options)
