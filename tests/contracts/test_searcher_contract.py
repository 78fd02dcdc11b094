"""What every searcher keeps to. A new one is one line in SEARCHERS."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.searcher import Searcher
from raytune_nn.space.parse import parse_space

SPACE = parse_space(
    {
        "optimizer": {
            "choose": {
                "sgd": {"momentum": "uniform(0, 0.99)", "nesterov": "choice(true, false)"},
                "adamw": {"weight_decay": {"dist": "loguniform", "low": 1e-5, "high": 1e-1}},
            },
            "lr": "loguniform(1e-4, 1e-1)",
        },
        "model": {
            "hidden": "choice([64, 64], [128])",
            "layers": "randint(1, 4)",
            "width": "lograndint(8, 512)",
            "dropout": "quniform(0, 0.5, 0.1)",
            "activation": "choice(relu, gelu, null)",
        },
    }
)
TRIALS = 40
RUNNING = 4  # trials that run at a time
SEEDS = range(6)

Make = Callable[[int], Searcher]  # from a seed

SEARCHERS: dict[str, Make] = {
    "random": lambda seed: RandomSearcher(SPACE, seed),
}

Suggestion = dict[str, Any] | None


def run_study(make: Make, seed: int, cut: int | None = None) -> list[Suggestion]:
    """All suggestions of a study whose trials end in random order, one in five without a value.

    Before suggestion number `cut`, a fresh searcher hears of the trials that have ended and takes over.
    """
    rng = random.Random(seed)
    searcher = make(seed)
    suggestions: list[Suggestion] = []
    running: list[tuple[str, dict[str, Any]]] = []
    ended: list[tuple[str, dict[str, Any], float | None]] = []
    for number in range(TRIALS):
        if number == cut:
            searcher = make(seed)
            for end in ended:
                searcher.on_end(*end)
        params = searcher.suggest(number)
        suggestions.append(params)
        if params is not None:
            running.append((f"trial{number}", params))
        while len(running) >= RUNNING:
            trial, tried = running.pop(rng.randrange(len(running)))
            ended.append((trial, tried, None if rng.random() < 0.2 else rng.random()))
            searcher.on_end(*ended[-1])
    return suggestions


def check_a_resumed_study_gets_the_same_suggestions(make: Make) -> None:
    for seed in SEEDS:
        cut = random.Random(seed).randrange(1, TRIALS)
        assert run_study(make, seed, cut) == run_study(make, seed)


def check_suggestions_are_in_the_space(make: Make) -> None:
    for seed in SEEDS:
        for params in run_study(make, seed):
            assert params is None or SPACE.contains(params), params


def check_suggestions_are_plain_values(make: Make) -> None:
    for seed in SEEDS:
        for params in run_study(make, seed):
            assert params is None or is_plain(params), params


def is_plain(value: object) -> bool:
    """Plain Python all through: no numpy scalar, no tuple, no OmegaConf container."""
    if type(value) is dict:
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def check_exhausted_is_for_good(make: Make) -> None:
    for seed in SEEDS:
        suggestions = run_study(make, seed)
        assert suggestions[0] is not None
        if None in suggestions:
            assert set(map(repr, suggestions[suggestions.index(None) :])) == {"None"}


CHECKS = [
    check_a_resumed_study_gets_the_same_suggestions,
    check_suggestions_are_in_the_space,
    check_suggestions_are_plain_values,
    check_exhausted_is_for_good,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SEARCHERS)
def test_contract(name: str, check: Callable[[Make], None]) -> None:
    check(SEARCHERS[name])


class Broken(RandomSearcher):
    """A searcher to break the contract with."""

    def __init__(self, seed: int) -> None:
        super().__init__(SPACE, seed)


class Streams(Broken):
    """Draws from one stream, which a restart rewinds."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.rng = random.Random(seed)

    def suggest(self, number: int) -> dict[str, Any]:
        return SPACE.sample(self.rng)


class LeavesTheSpace(Broken):
    """Suggests both branches' parameters."""

    def suggest(self, number: int) -> dict[str, Any]:
        return {**super().suggest(number), "optimizer.momentum": 0.5, "optimizer.weight_decay": 1e-3}


class SuggestsTuples(Broken):
    """Suggests a tuple where the space has a list."""

    def suggest(self, number: int) -> dict[str, Any]:
        params = super().suggest(number)
        return {**params, "model.hidden": tuple(params["model.hidden"])}


class ComesBack(Broken):
    """Is exhausted every other time."""

    def suggest(self, number: int) -> dict[str, Any] | None:  # type: ignore[override]
        return None if number % 2 else super().suggest(number)


BROKEN: list[Make] = [Streams, LeavesTheSpace, SuggestsTuples, ComesBack]  # one a check


@pytest.mark.parametrize(("check", "broken"), [*zip(CHECKS, BROKEN, strict=True)])
def test_each_check_catches_a_searcher_that_breaks_it(check: Callable[[Make], None], broken: Make) -> None:
    with pytest.raises(AssertionError):
        check(broken)
