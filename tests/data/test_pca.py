"""Principal components against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from raytune_nn.data.pca import check_pca, principal_components

ROWS = (np.random.default_rng(0).normal(size=(300, 6)) @ np.random.default_rng(1).normal(size=(6, 6)) + 4).astype(
    np.float32
)


@pytest.mark.parametrize("wanted", [1, 3, 6, 0.5, 0.9, 0.999999])
def test_components_are_those_of_scikit_learn(wanted: float) -> None:
    from sklearn.decomposition import PCA

    known = PCA(wanted, svd_solver="full").fit(ROWS.astype(np.float64))
    mean, directions = principal_components(ROWS, wanted)
    np.testing.assert_allclose(mean, known.mean_, atol=1e-6)
    np.testing.assert_allclose(directions, known.components_.T, atol=1e-6)


def test_a_share_takes_the_fewest_directions_that_explain_it() -> None:
    rows = np.zeros((4, 3), np.float32)
    rows[:2, 1], rows[2:, 2] = (3, -3), (1, -1)  # variances 18 and 2 of 20
    assert principal_components(rows, 0.89)[1].shape == (3, 1)
    mean, directions = principal_components(rows, 0.91)
    assert mean.tolist() == [0, 0, 0]
    np.testing.assert_allclose(directions, [[0, 0], [1, 0], [0, 1]], atol=1e-12)


def test_more_directions_than_features_are_refused() -> None:
    with pytest.raises(ValueError, match="pca <= number of features must hold, but got pca=7 of 6 features"):
        principal_components(ROWS, 7)


def test_constant_features_are_refused() -> None:
    with pytest.raises(ValueError, match="pca needs features that vary in the training rows, but all are constant"):
        principal_components(np.ones((4, 3), np.float32), 0.9)


@pytest.mark.parametrize("pca", [0, -1, 1.0, 0.0, 1.5, True, "2"])
def test_other_values_are_refused(pca: float) -> None:
    with pytest.raises(ValueError, match="pca must be a whole number >= 1 or a share 0 < pca < 1, but got"):
        check_pca(pca)


def test_numbers_shares_and_none_pass() -> None:
    for pca in (None, 1, 20, 0.5):
        check_pca(pca)
