"""PB2: its Gaussian process against posteriors by hand, and what it makes of gains."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from toy_population import SPACE, Toy

from raytune_nn.search.none import NoScheduler
from raytune_nn.search.pb2 import PB2, share_of, value_at
from raytune_nn.search.time_varying_gp import (
    Kernel,
    Points,
    fitted,
    log_likelihood,
    posterior_deviation,
    posterior_mean,
    propose,
)
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import LogRandInt, LogUniform, QUniform, RandInt, Uniform
from raytune_nn.space.parse import parse_space


def points(*rows: tuple[float, ...]) -> Points:
    """Of (time, coordinates…)."""
    table = np.array(rows, dtype=float)
    return Points(table[:, 0], table[:, 1:])


NOBODY = Points(np.empty(0), np.empty((0, 1)))
KERNEL = Kernel(lengthscale=0.5, forgetting=0.19, noise=0.25)


def test_the_covariance_by_hand() -> None:
    found = KERNEL.covariance(points((0, 0.2)), points((0, 0.2), (0, 0.7), (1, 0.2), (4, 0.7)))
    # 1 - 0.19 is 0.9 squared: the share 0.9 is kept each interval
    assert found[0] == pytest.approx([1, math.exp(-0.5), 0.9, 0.9**4 * math.exp(-0.5)])


def test_one_observation_by_hand() -> None:
    known, reward, at = points((0, 0.2)), np.array([2.0]), points((0, 0.2), (1, 0.7))
    k = 0.9 * math.exp(-0.5)
    assert posterior_mean(KERNEL, known, reward, at) == pytest.approx([2 / 1.25, 2 * k / 1.25])
    expected = [math.sqrt(1 - 1 / 1.25), math.sqrt(1 - k**2 / 1.25)]
    assert posterior_deviation(KERNEL, known, at) == pytest.approx(expected)
    likelihood = -0.5 * 4 / 1.25 - 0.5 * math.log(1.25)
    assert log_likelihood(KERNEL, known, reward) == pytest.approx(likelihood)


def test_two_observations_by_hand() -> None:
    known, rewards = points((0, 0.0), (2, 0.5)), np.array([1.0, -2.0])
    a, b = 1.25, 0.81 * math.exp(-0.5)  # the covariance of the rewards is [[a, b], [b, a]]
    first, second = 0.9**3, 0.9 * math.exp(-0.5)  # of (3, 0) with each
    det = a * a - b * b
    mean = (first * (a * 1.0 - b * -2.0) + second * (a * -2.0 - b * 1.0)) / det
    variance = 1 - (first * (a * first - b * second) + second * (a * second - b * first)) / det
    at = points((3, 0.0))
    assert posterior_mean(KERNEL, known, rewards, at) == pytest.approx([mean])
    assert posterior_deviation(KERNEL, known, at) == pytest.approx([math.sqrt(variance)])
    quadratic = (a * 1.0 + 2 * -b * (1.0 * -2.0) + a * 4.0) / det
    assert log_likelihood(KERNEL, known, rewards) == pytest.approx(-0.5 * quadratic - 0.5 * math.log(det))


def test_forgetting_and_lengthscale_are_fitted() -> None:
    rng = np.random.default_rng(0)
    times, places = np.repeat(np.arange(10.0), 8), rng.random((80, 1))
    steady = np.sin(8 * places[:, 0])
    assert fitted(Points(times, places), steady).forgetting == 0
    assert fitted(Points(times, places), rng.choice([-1.0, 1.0], 10).repeat(8) * steady).forgetting >= 0.1
    assert fitted(Points(times, places), places[:, 0] - 0.5).lengthscale > 0.4
    assert fitted(Points(times, places), np.sin(20 * places[:, 0])).lengthscale == 0.1


def test_it_proposes_where_rewards_were_high() -> None:
    places = np.linspace(0, 1, 21)[:, None]
    known, rewards = Points(np.zeros(21), places), -((places[:, 0] - 0.7) ** 2)
    for seed in range(5):
        assert propose(known, rewards, NOBODY, 1, np.random.default_rng(seed)) == pytest.approx([0.7], abs=0.1)
        moved = propose(known, 1000 * rewards - 5, NOBODY, 1, np.random.default_rng(seed))
        assert moved == propose(known, rewards, NOBODY, 1, np.random.default_rng(seed)), "the scale is nothing"


def test_it_keeps_away_from_what_is_being_tried() -> None:
    known, rewards = points((0, 0.5)), np.array([1.0])
    alone = propose(known, rewards, NOBODY, 0, np.random.default_rng(0))
    beside = propose(known, rewards, points((0, float(alone[0]))), 0, np.random.default_rng(0))
    assert abs(beside[0] - alone[0]) > 0.2


NUMBERS: list[Domain] = [
    *(Uniform(-1, 3), LogUniform(1e-5, 1e-1), QUniform(0, 0.5, 0.1), QUniform(-0.25, 1, 0.3)),
    *(RandInt(-4, 9), LogRandInt(1, 512)),
]


@pytest.mark.parametrize("domain", NUMBERS, ids=repr)
def test_shares_of_a_domain(domain: Domain) -> None:
    rng = random.Random(0)
    for _ in range(200):
        value = domain.sample(rng)
        assert 0 <= share_of(domain, value) <= 1
        assert value_at(domain, share_of(domain, value)) == pytest.approx(value)
        drawn = value_at(domain, rng.random())
        assert domain.contains(drawn)
    assert (value_at(domain, 0.0), value_at(domain, 1.0)) == pytest.approx(domain.corners())


def test_shares_by_hand() -> None:
    assert share_of(LogUniform(1e-4, 1e-2), 1e-3) == pytest.approx(0.5)
    assert share_of(RandInt(1, 4), 1) == pytest.approx(1 / 8)
    assert [value_at(RandInt(1, 4), share) for share in (0.24, 0.26, 0.99)] == [1, 2, 4]
    assert share_of(QUniform(0, 1, 0.25), 0.5) == pytest.approx(0.5)


TUNED = parse_space(
    {
        "optimizer": {"lr": "uniform(0, 1)"},
        "model": {"net": {"dropout": "choice(0.0, 0.1, 0.2)", "width": "randint(1, 9)"}},
    }
)


def copies(pb2: PB2, rises: Any, rounds: int) -> list[float]:
    """The learning rates of copies, where each interval raises a score by ``rises(lr)``."""
    rng = random.Random(1)
    rates, scores = {str(number): rng.random() for number in range(8)}, dict.fromkeys("01234567", 0.0)
    for trial, rate in rates.items():
        pb2.on_start(trial, {"optimizer.lr": rate, "model.net.dropout": 0.1, "model.net.width": int(trial) + 1})
    found = []
    for step in range(1, rounds + 1):
        for trial, rate in rates.items():
            scores[trial] += rises(rate)
            pb2.on_report(trial, step, scores[trial])
        before = dict(scores)
        while (resumption := pb2.next_to_run(False)) is not None:
            if resumption.source is None:
                continue
            assert resumption.params is not None
            assert TUNED.contains(resumption.params)
            rates[resumption.trial] = resumption.params["optimizer.lr"]
            scores[resumption.trial] = before[resumption.source]
            found.append(rates[resumption.trial])
    return found


def test_without_gains_it_changes_numbers_as_pbt_does() -> None:
    rng = random.Random(1)
    rates = [rng.random() for _ in range(8)]
    pb2 = PB2(8, 99, interval=1, resample=0.0, space=TUNED)
    perturbed = {min(factor * rate, 1.0) for rate in rates for factor in (0.8, 1.2)}
    found = copies(pb2, lambda rate: rate, 1)
    assert len(found) == 2
    assert set(found) <= perturbed


def test_it_finds_where_scores_rise_most() -> None:
    for seed in range(4):
        pb2 = PB2(8, 99, interval=1, space=TUNED, seed=seed)
        rates = copies(pb2, lambda rate: 1 - (rate - 0.3) ** 2, 8)
        assert np.median(np.abs(np.array(rates[-6:]) - 0.3)) < 0.05


def test_the_same_calls_give_the_same_copies_and_another_seed_others() -> None:
    runs = [copies(PB2(8, 99, interval=1, space=TUNED, seed=seed), lambda rate: rate, 4) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_choices_go_to_neighbours() -> None:
    pb2 = PB2(2, 9, interval=1, quantile=0.5, resample=0.0, space=TUNED)
    for trial in "01":
        pb2.on_start(trial, {"optimizer.lr": 0.5, "model.net.dropout": 0.1, "model.net.width": 3})
    changed = []
    for step in (1, 2):
        pb2.on_report("0", step, 0.1 * step)
        pb2.on_report("1", step, 0.2 * step)
        resumption = pb2.next_to_run(False)
        assert resumption is not None
        assert resumption.params is not None
        changed.append(resumption.params["model.net.dropout"])
        pb2.next_to_run(False)
    assert set(changed) <= {0.0, 0.2}


def test_it_beats_random_search_with_the_same_epochs_on_the_toy_problem() -> None:
    gains = []
    for seed in range(6):
        population = [SPACE.sample(random.Random(f"{seed}/{number}")) for number in range(8)]
        pb2 = Toy(PB2(8, 60, interval=4, space=SPACE, seed=seed), population, 60)
        gains.append(pb2.run() - Toy(NoScheduler(), population, 60).run())
    assert min(gains) > 0, gains  # by chance once in 64
