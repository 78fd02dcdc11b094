"""A Gaussian-process bandit whose rewards drift with time.

Bogunovic et al. 2016, "Time-Varying Gaussian Process Bandit Optimization": the kernel is a squared exponential of the
points times (1 - forgetting)^(|t - t'| / 2), and the next point maximises mean + sqrt(beta) * deviation. Points that
are being tried lower the deviation although their rewards are not known (Desautels et al. 2014, "Parallelizing
Exploration-Exploitation Tradeoffs in Gaussian Process Bandit Optimization").
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

LATEST = 256  # observations that count: the cost grows with their cube, and old ones are nearly forgotten
CANDIDATES = 2000  # random points of which the best is proposed
LENGTHSCALES, FORGETTING, NOISES = (0.1, 0.2, 0.4, 0.8, 1.6), (0.0, 0.03, 0.1, 0.3), (0.01, 0.1, 0.5)


@dataclass(frozen=True)
class Points:
    """Points of the unit cube, shape (n, d), and when each was tried, shape (n,), in intervals."""

    times: Floats
    places: Floats

    def __add__(self, other: Points) -> Points:
        return Points(np.concatenate([self.times, other.times]), np.concatenate([self.places, other.places]))


@dataclass(frozen=True)
class Kernel:
    """The covariance of rewards of variance 1.

    Args:
        lengthscale: Of the points, in edges of the cube.
        forgetting: Share of the correlation, squared, that is lost in one interval.
        noise: Variance of a reward at one point and time.
    """

    lengthscale: float
    forgetting: float
    noise: float

    def covariance(self, first: Points, second: Points) -> Floats:
        """Without noise, shape (n, m)."""
        squares = ((first.places[:, None, :] - second.places[None, :, :]) ** 2).sum(axis=2)
        ages = np.abs(first.times[:, None] - second.times[None, :])
        kept: Floats = np.exp(-squares / (2 * self.lengthscale**2)) * (1 - self.forgetting) ** (ages / 2)
        return kept

    def factor(self, points: Points) -> Floats:
        """The Cholesky factor of the covariance with noise, shape (n, n)."""
        return np.linalg.cholesky(self.covariance(points, points) + self.noise * np.eye(len(points.times)))


def posterior_mean(kernel: Kernel, points: Points, rewards: Floats, at: Points) -> Floats:
    """The expected rewards, shape (m,), given those at ``points``."""
    factor = kernel.factor(points)
    weights = np.linalg.solve(factor.T, np.linalg.solve(factor, rewards))
    mean: Floats = kernel.covariance(at, points) @ weights
    return mean


def posterior_deviation(kernel: Kernel, points: Points, at: Points) -> Floats:
    """The standard deviations, shape (m,), without noise, where rewards at ``points`` are known or will be."""
    explained = np.linalg.solve(kernel.factor(points), kernel.covariance(points, at))
    deviation: Floats = np.sqrt(np.maximum(1 - (explained**2).sum(axis=0), 0))
    return deviation


def log_likelihood(kernel: Kernel, points: Points, rewards: Floats) -> float:
    """Of the rewards, up to a constant."""
    factor = kernel.factor(points)
    return float(-0.5 * (np.linalg.solve(factor, rewards) ** 2).sum() - np.log(np.diag(factor)).sum())


def fitted(points: Points, rewards: Floats) -> Kernel:
    """The most likely kernel of a small grid."""
    kernels = itertools.starmap(Kernel, itertools.product(LENGTHSCALES, FORGETTING, NOISES))
    return max(kernels, key=lambda kernel: log_likelihood(kernel, points, rewards))


def propose(points: Points, rewards: Floats, pending: Points, time: float, rng: np.random.Generator) -> Floats:
    """The point to try next, shape (d,): of random ones the one with the highest upper confidence bound.

    Args:
        points: Tried before, oldest first; at least one.
        rewards: Theirs, shape (n,), on any scale.
        pending: Being tried; their rewards are not known.
        time: When it will be tried.
    """
    points = Points(points.times[-LATEST:], points.places[-LATEST:])
    rewards = rewards[-LATEST:]
    scaled = (rewards - rewards.mean()) / (rewards.std() or 1.0)
    kernel = fitted(points, scaled)
    places = rng.random((CANDIDATES, points.places.shape[1]))
    at = Points(np.full(CANDIDATES, time), places)
    beta = 0.8 * math.log(4 * len(rewards))  # section 5 there
    bounds = posterior_mean(kernel, points, scaled, at) + math.sqrt(beta) * posterior_deviation(
        kernel, points + pending, at
    )
    best: Floats = places[int(np.argmax(bounds))]
    return best
