"""Whether the samplers search: on a quadratic in two numbers they come closer than random draws do.

All studies are seeded, so that a test passes or fails for good. The bounds are those of a one-sided sign test at
two percent or less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from optuna.samplers import RandomSampler

from raytune_nn.errors import ConfigError
from raytune_nn.search.cmaes import CMAES
from raytune_nn.search.gp import GaussianProcess
from raytune_nn.search.nsga2 import NSGA2
from raytune_nn.search.quasi_random import QuasiRandom
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.searcher import Searcher
from raytune_nn.search.tpe import TPE
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space

SPACE = parse_space({"optimizer": {"lr": "loguniform(1e-4, 1)", "momentum": "uniform(0, 1)"}})
CHOICES = parse_space({"optimizer": {"name": "choice(sgd, adamw)"}})
Params = dict[str, Any]


def loss(params: Params) -> float:
    """Zero at lr = 0.05, momentum = 0.7; 1 at a distance of half the space."""
    lr, momentum = params["optimizer.lr"], params["optimizer.momentum"]
    return math.hypot(math.log10(lr / 0.05) / 2, (momentum - 0.7) * 2) ** 2


def study(searcher: Searcher, trials: int, slots: int = 1) -> list[Params]:
    """What is tried when each slot takes the next suggestion once its trial has ended."""
    tried: list[Params] = []
    for number in range(trials):
        if number >= slots:
            ended = tried[number - slots]
            searcher.on_end(str(number - slots), ended, -loss(ended), "complete")
        params = searcher.suggest(number)
        assert params is not None
        tried.append(params)
    return tried


def wins(make: Callable[[int], Searcher], seeds: int, trials: int, slots: int) -> int:
    """How many of the seeded studies end with a better trial than random search."""
    return sum(
        min(map(loss, study(make(seed), trials, slots))) < min(map(loss, study(RandomSearcher(SPACE, seed), trials)))
        for seed in range(seeds)
    )


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("make", [lambda seed: TPE(SPACE, seed), lambda seed: CMAES(SPACE, seed)], ids=["tpe", "cmaes"])
def test_it_beats_random_search(make: Callable[[int], Searcher], slots: int) -> None:
    assert wins(make, seeds=16, trials=40, slots=slots) >= 13


@pytest.mark.slow
def test_a_gaussian_process_beats_random_search() -> None:
    assert wins(lambda seed: GaussianProcess(SPACE, seed, startup_trials=5), seeds=7, trials=12, slots=1) == 7


def test_a_gaussian_process_beats_what_it_learnt_from() -> None:
    losses = [loss(params) for params in study(GaussianProcess(SPACE, 0, startup_trials=6), 9)]
    assert min(losses[7:]) < min(losses[:7]) / 2, "the first seven are random: it asks ahead"


def test_the_generations_of_a_genetic_algorithm_improve() -> None:
    for seed in range(7):
        losses = [loss(params) for params in study(NSGA2(SPACE, seed, population_size=20), 120, slots=4)]
        assert sum(losses[-60:]) / 60 < sum(losses[:20]) / 20, "the first twenty are random"


def test_quasi_random_draws_leave_smaller_gaps() -> None:
    def cells(searcher: Searcher) -> int:
        """Of 8 x 8 cells, those that 64 draws fall into."""
        drawn = [searcher.suggest(number) for number in range(64)]
        return len(
            {
                (int((math.log10(params["optimizer.lr"]) + 4) * 2), int(params["optimizer.momentum"] * 8))
                for params in drawn
                if params
            }
        )

    # Random draws fall into 64 (1 - (63/64)**64) = 40.6 cells on average.
    assert all(cells(QuasiRandom(SPACE, seed)) >= 50 > cells(RandomSearcher(SPACE, seed)) for seed in range(4))


def test_quasi_random_sequences_differ_by_seed_and_reach_every_option() -> None:
    space = parse_space({"a": {"choose": {"x": {"u": "uniform(0, 1)"}, "y": {}, "z": {}}}})
    drawn = [QuasiRandom(space, seed).suggest(5) for seed in range(2)]
    assert drawn[0] != drawn[1]
    searcher = QuasiRandom(space, 0)
    options = [params["a"] for params in map(searcher.suggest, range(48)) if params]
    assert all(14 <= options.count(name) <= 18 for name in "xyz"), "even counts, though nobody is told of any trial"


def told_of_an_earlier_study(searcher: Searcher) -> Searcher:
    for number, params in enumerate(study(RandomSearcher(SPACE, 99), 40)):
        searcher.on_end(f"earlier/{number}", params, -loss(params), "complete")
    return searcher


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: TPE(SPACE, seed),
        lambda seed: CMAES(SPACE, seed),
        lambda seed: NSGA2(SPACE, seed, population_size=10),
    ],
    ids=["tpe", "cmaes", "nsga2"],
)
def test_it_learns_from_an_earlier_study(make: Callable[[int], Searcher]) -> None:
    def mean(searcher: Searcher) -> float:
        return sum(map(loss, study(searcher, 12))) / 12

    better = sum(mean(told_of_an_earlier_study(make(seed))) < mean(make(seed)) for seed in range(10))
    assert better == 10


def test_tpe_learns_from_stopped_trials() -> None:
    searcher, near = TPE(SPACE, 0, random_share=0.0), []
    for number in range(60):
        params = searcher.suggest(number)
        assert params is not None
        near.append(abs(params["optimizer.momentum"] - 0.7) < 0.2)
        for step in range(1, 2 + number % 3):
            searcher.on_report(str(number), step, -loss(params))
        searcher.on_end(str(number), params, -loss(params), "stopped")
    assert sum(near[30:]) > 20, "of 30; at random 12"


def tell(searcher: Searcher, number: int, steps: int, state: str = "stopped") -> None:
    params = searcher.suggest(number)
    assert params is not None
    for step in range(1, steps + 1):
        searcher.on_report(str(number), step, 0.5)
    searcher.on_end(str(number), params, 0.5 if steps else None, state)


def random_draws(searcher: TPE) -> int:
    """Of 400."""
    searcher._tell_ended()
    return sum(isinstance(searcher._sampler(seed), RandomSampler) for seed in range(400))


def test_tpe_begins_when_trials_got_beyond_where_the_first_ones_were_stopped() -> None:
    searcher = TPE(SPACE, 0, startup_trials=2, random_share=0.0)
    for number, (steps, expected) in enumerate([(1, 400), (1, 400), (3, 400), (1, 400), (2, 0)]):
        tell(searcher, number, steps)
        assert random_draws(searcher) == expected, number


@pytest.mark.parametrize(
    ("ends", "least", "most"),
    [([(2, "stopped"), (1, "stopped")], 150, 250), ([(2, "complete")], 0, 0), ([(0, "diverged")], 0, 0)],
)
def test_tpe_draws_a_share_at_random_where_trials_end_early(ends: list[tuple[int, str]], least: int, most: int) -> None:
    searcher = TPE(SPACE, 0, startup_trials=1, random_share=0.5)
    for number, (steps, state) in enumerate(ends):
        tell(searcher, number, steps, state)
    assert least <= random_draws(searcher) <= most


@pytest.mark.parametrize(("state", "least", "most"), [("diverged", 0, 35), ("failed", 45, 120)])
def test_tpe_keeps_away_from_where_trials_diverge(state: str, least: int, most: int) -> None:
    bad = []
    for seed in range(4):
        searcher = TPE(SPACE, seed)
        for number in range(60):
            params = searcher.suggest(number)
            assert params is not None
            diverges = params["optimizer.momentum"] > 0.5  # which is all that momentum is to these trials
            score = None if diverges else params["optimizer.lr"]
            searcher.on_end(str(number), params, score, state if diverges else "complete")
            bad.append(number >= 30 and diverges)
    assert least <= sum(bad) <= most, "of 120; at random 60"


def hypervolume(searcher: Searcher, trials: int) -> float:
    """Area between the corner (-3, -3) and the two scores of some trials."""
    scores = []
    for number in range(trials):
        params = searcher.suggest(number)
        assert params is not None
        a, b, c, d = (params[name] for name in "abcd")
        scores.append((a - b - c - d, 1 - a - b - c - d))
        searcher.on_end(str(number), params, scores[-1], "complete")
    area, height = 0.0, -3.0
    for first, second in sorted(scores, reverse=True):
        area += (first + 3) * max(0.0, second - height)
        height = max(height, second)
    return area


@pytest.mark.parametrize(
    ("make", "trials"),
    [
        (lambda space, seed: NSGA2(space, seed, population_size=10, objectives=2), 100),
        (lambda space, seed: TPE(space, seed, objectives=2), 30),
    ],
    ids=["nsga2", "tpe"],
)
def test_two_objectives_come_closer_to_the_front(make: Callable[[Space, int], Searcher], trials: int) -> None:
    space = parse_space(dict.fromkeys("abcd", "uniform(0, 1)"))
    better = [
        hypervolume(make(space, seed), trials) > hypervolume(RandomSearcher(space, seed), trials) for seed in range(12)
    ]
    assert sum(better) >= 10


@pytest.mark.parametrize(
    ("make", "rule", "fix"),
    [
        (lambda: CMAES(CHOICES, 0), "CMA-ES needs a number to adapt", "search/searcher=tpe"),
        (lambda: CMAES(SPACE, 0, objectives=2), "CMA-ES follows one objective", "search/searcher=nsga2"),
        (lambda: CMAES(SPACE, 0, population_size=3), "population_size must be an integer of at least 4", "=10"),
        (lambda: NSGA2(SPACE, 0, population_size=1), "population_size must be an integer of at least 2", "=10"),
        (lambda: TPE(SPACE, 0, startup_trials=0), "startup_trials must be an integer of at least 1", "=10"),
        (lambda: TPE(SPACE, 0, candidates=True), "candidates must be an integer of at least 1", "=10"),
        (lambda: TPE(SPACE, 0, random_share=1.5), "random_share must be from 0 to 1", "=0.333"),
        (lambda: TPE(SPACE, 0, random_share="a third"), "random_share must be from 0 to 1", "=0.333"),  # type: ignore[arg-type]
        (lambda: GaussianProcess(SPACE, 0, startup_trials=0), "startup_trials must be an integer", "=10"),
    ],
)
def test_bad_arguments_are_refused(make: Callable[[], Searcher], rule: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=rule) as caught:
        make()
    assert caught.value.fix.endswith(fix)
