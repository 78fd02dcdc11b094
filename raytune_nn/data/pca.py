"""Principal components: the directions in which rows differ most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def principal_components(
    train: npt.NDArray[np.float32], wanted: int | float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean of the training rows and the directions of their largest variance (PCA, not whitened).

    Args:
        train: Shape (rows, features).
        wanted: How many directions (an integer), or the share of the variance that they must explain (a float).

    Returns:
        The mean, shape (features,), and the directions, shape (features, directions), unit vectors by falling
        variance. The largest number of each is positive, so that every machine finds the same ones.

    Raises:
        ValueError: More directions are wanted than there are features, or no feature varies.
    """
    if isinstance(wanted, int) and wanted > train.shape[1]:
        raise ValueError(f"pca <= number of features must hold, but got pca={wanted} of {train.shape[1]} features")
    mean = train.mean(0, dtype=np.float64)
    centred = train - mean
    variances, directions = np.linalg.eigh(centred.T @ centred)
    variances, directions = variances[::-1].clip(0), directions[:, ::-1]
    if not variances[0]:
        raise ValueError("pca needs features that vary in the training rows, but all are constant")
    if isinstance(wanted, float):
        explained = np.cumsum(variances) / variances.sum()
        wanted = min(int(np.searchsorted(explained, wanted)) + 1, train.shape[1])
    directions = directions[:, :wanted]
    largest = directions[np.abs(directions).argmax(0), np.arange(wanted)]
    return mean, directions * np.sign(largest)


def check_pca(pca: int | float | None) -> None:
    """Check that ``pca`` is a number of directions, a share of the variance, or None.

    Raises:
        ValueError: It is not.
    """
    number = type(pca) is int and pca >= 1
    share = type(pca) is float and 0 < pca < 1
    if pca is not None and not number and not share:
        raise ValueError(f"pca must be a whole number >= 1 or a share 0 < pca < 1, but got {pca!r}")
