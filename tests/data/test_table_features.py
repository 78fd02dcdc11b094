"""Features of a table by hand: medians, moments, one-hot categories."""

from __future__ import annotations

import numpy as np
import pytest

from raytune_nn.data.table_features import CategoryFeatures, NumberFeatures, TableFeatures

NAN = np.nan


def test_numbers_have_moments_zero_and_one_on_the_training_rows() -> None:
    train = np.random.default_rng(0).normal(50, 7, (200, 3))
    features = NumberFeatures.fit(train, missing_indicator=True)(train)
    assert features.shape == (200, 3)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(features.std(0), 1, atol=1e-6)


def test_other_rows_are_scaled_as_the_training_rows_are() -> None:
    fitted = NumberFeatures.fit(np.array([[1.0], [3.0]]), missing_indicator=False)
    assert fitted(np.array([[2.0], [5.0], [1.0]])).tolist() == [[0], [3], [-1]]


def test_a_missing_number_is_the_median_and_says_so() -> None:
    train = np.array([[1.0, 5], [NAN, 6], [2, 7], [9, 8]])  # medians 2 and 6.5; filled, the first has mean 3.5
    fitted = NumberFeatures.fit(train, missing_indicator=True)
    scale = np.std([1, 2, 2, 9])
    features = fitted(np.array([[NAN, 6.5], [9, NAN]]))
    expected = np.array([[(2 - 3.5) / scale, 0, 1], [(9 - 3.5) / scale, 0, 0]])
    np.testing.assert_allclose(features, expected, rtol=1e-6)
    assert NumberFeatures.fit(train, missing_indicator=False)(train).shape == (4, 2)


def test_a_constant_or_empty_column_is_zero() -> None:
    train = np.array([[0.1, NAN]] * 10)  # 0.1 has a mean of 0.09999999999999999 in floats
    features = NumberFeatures.fit(train, missing_indicator=False)(train)
    np.testing.assert_allclose(features, np.zeros((10, 2)), atol=1e-15)


def test_frequent_categories_have_features_and_rare_ones_share_one() -> None:
    train = np.array([0, 0, 0, 1, 1, 2, 3], np.int32)  # 5 categories; 4 is not in the training rows
    fitted = CategoryFeatures.fit(train, categories=5, min_count=2)
    shared = [0, 0, 1]
    assert fitted(np.arange(6, dtype=np.int32)).tolist() == [[1, 0, 0], [0, 1, 0], shared, shared, shared, shared]


def test_an_unseen_category_has_no_feature_where_none_is_rare() -> None:
    fitted = CategoryFeatures.fit(np.array([0, 0, 1, 1], np.int32), categories=3, min_count=2)
    assert fitted(np.array([1, 2, 3], np.int32)).tolist() == [[0, 1], [0, 0], [0, 0]]


def test_a_missing_category_is_a_category_however_rare() -> None:
    fitted = CategoryFeatures.fit(np.array([0, 0, 1, 1, 2], np.int32), categories=2, min_count=2)
    assert fitted(np.array([0, 1, 2], np.int32)).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_columns_stand_side_by_side_numbers_first() -> None:
    numbers, codes = np.array([[1.0], [3.0]]), np.array([[0, 1], [1, 1]], np.int32)
    features = TableFeatures.fit(numbers, codes, [2, 2], min_count=1, missing_indicator=True)
    assert features(numbers, codes).tolist() == [[-1, 1, 0, 1], [1, 0, 1, 1]]


@pytest.mark.parametrize(("numeric", "named"), [(0, 1), (1, 0)])
def test_one_kind_of_column_is_enough(numeric: int, named: int) -> None:
    numbers, codes = np.array([[1.0], [3.0]])[:, :numeric], np.array([[0], [1]], np.int32)[:, :named]
    features = TableFeatures.fit(numbers, codes, [2] * named, min_count=1, missing_indicator=True)
    assert features(numbers, codes).tolist() == ([[-1], [1]] if numeric else [[1, 0], [0, 1]])
