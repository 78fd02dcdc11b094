"""The made-up learning curves behind a plan's forecast."""

from __future__ import annotations

import random
import statistics

import pytest

from raytune_nn.study.forecast_curves import NOISE, LearningCurves
from raytune_nn.trial.dry_run import Timing

WHOLE = 27
TIMED = [Timing({"lr": lr}, 0.1, 1.0, 1.0, score) for lr, score in ((0.1, 0.9), (0.2, 0.5), (0.3, 0.5), (0.4, None))]


def test_a_curve_begins_where_the_trial_was_seen() -> None:
    curves, rng = LearningCurves(TIMED, WHOLE), random.Random(0)
    first = [[curves.of({"lr": lr}, rng).score(1, rng) for _ in range(200)] for lr in (0.1, 0.2, 0.3, 0.4)]
    spreads = [statistics.stdev(scores) for scores in first]
    assert spreads[:3] == pytest.approx([NOISE] * 3, rel=0.2)
    assert spreads[3] > 1
    means = [statistics.mean(scores) for scores in first]
    assert means[0] > means[1] == pytest.approx(means[2], abs=0.05)


def test_what_comes_of_it_is_open() -> None:
    curves, rng = LearningCurves(TIMED, WHOLE), random.Random(0)
    good, bad = ([curves.of({"lr": lr}, rng).quality for _ in range(500)] for lr in (0.1, 0.2))
    assert statistics.mean(good) > statistics.mean(bad)
    assert statistics.stdev(good) > 0.3
    assert max(bad) > min(good)


def test_a_study_of_one_epoch() -> None:
    rng = random.Random(0)
    curve = LearningCurves(TIMED, 1).of({"lr": 0.1}, rng)
    assert curve.score(1, rng) > LearningCurves(TIMED, 1).of({"lr": 0.2}, rng).score(1, rng)
