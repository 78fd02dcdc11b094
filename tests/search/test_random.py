"""Random search: suggestion n is a draw from (seed, n) and nothing else."""

from __future__ import annotations

import random
from typing import Any

from raytune_nn.search.random import RandomSearcher
from raytune_nn.space.parse import parse_space

SPACE = parse_space(
    {
        "optimizer": {
            "choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {}},
            "lr": "loguniform(1e-4, 1e-1)",
        },
        "model": {"layers": "randint(1, 4)"},
    }
)


def suggestions(seed: int, numbers: range) -> list[dict[str, Any]]:
    searcher = RandomSearcher(SPACE, seed)
    return [searcher.suggest(number) for number in numbers]


def test_a_suggestion_needs_none_before_it() -> None:
    assert suggestions(7, range(100))[60:] == suggestions(7, range(60, 100))


def test_a_suggestion_is_the_same_on_every_machine() -> None:
    class Raw:
        """A space whose sample is the generator's first draw."""

        def sample(self, rng: random.Random) -> dict[str, Any]:
            return {"draw": rng.random()}

    searcher = RandomSearcher(Raw(), seed=3)  # type: ignore[arg-type]
    assert [searcher.suggest(number)["draw"] for number in range(3)] == [
        0.5188766820493568,
        0.5774325946789439,
        0.653917822251702,
    ]


def test_other_seeds_and_numbers_give_other_suggestions() -> None:
    drawn = [params["optimizer.lr"] for seed in range(20) for params in suggestions(seed, range(20))]
    assert len(set(drawn)) == len(drawn)


def test_draws_are_spread_over_the_space() -> None:
    drawn = suggestions(0, range(2_000))
    groups = [params["optimizer"] for params in drawn]
    assert abs(groups.count("sgd") / len(groups) - 0.5) < 0.05
    # A loguniform over three decades has a third of its draws in each.
    decade = sum(params["optimizer.lr"] < 1e-3 for params in drawn) / len(drawn)
    assert abs(decade - 1 / 3) < 0.05
    assert {params["model.layers"] for params in drawn} == {1, 2, 3, 4}
