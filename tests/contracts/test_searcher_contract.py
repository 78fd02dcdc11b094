"""What every searcher keeps to. A new one is one line in SEARCHERS."""

from __future__ import annotations

import functools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raytune_nn.search.cmaes import CMAES
from raytune_nn.search.gp import GaussianProcess
from raytune_nn.search.grid import GridSearcher
from raytune_nn.search.nsga2 import NSGA2
from raytune_nn.search.points import PointsFirst, read_points
from raytune_nn.search.quasi_random import QuasiRandom
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.searcher import Searcher
from raytune_nn.search.tpe import TPE
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
FINITE = parse_space(
    {
        "optimizer": {"choose": {"sgd": {"nesterov": "choice(true, false)"}, "adamw": {}}},
        "model": {"hidden": "choice([64, 64], [128])", "dropout": "quniform(0, 0.4, 0.1)"},
    }
)
SMALL = parse_space(
    {"optimizer": {"choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {}}, "lr": "uniform(0, 1)"}}
)
TRIALS = 40
RUNNING = 4  # trials that run at a time
STATES = ("complete", "complete", "complete", "stopped", "diverged", "failed")
SEEDS = range(2)

Make = Callable[[int], Searcher]  # from a seed


def _tpe_after_points(seed: int) -> Searcher:
    points = [{"optimizer": "sgd", "optimizer.lr": 0.01}, {"model": {"layers": 2, "hidden": [128]}}]
    return PointsFirst(read_points(points, SPACE, seed), TPE(SPACE, seed, startup_trials=4))


SEARCHERS: dict[str, Make] = {
    "random": lambda seed: RandomSearcher(SPACE, seed),
    "grid": lambda seed: GridSearcher(FINITE, seed),
    "quasi_random": lambda seed: QuasiRandom(SPACE, seed),
    "tpe": lambda seed: TPE(SPACE, seed, startup_trials=5),
    "gp": lambda seed: GaussianProcess(SMALL, seed, startup_trials=22),  # a model of some 24
    "cmaes": lambda seed: CMAES(SPACE, seed, population_size=4),
    "nsga2": lambda seed: NSGA2(SPACE, seed, population_size=4),
    "points": _tpe_after_points,
}

Params = dict[str, Any]
Suggestion = Params | None


class Journal:
    """Calls a searcher and keeps the calls; after `cut` of them a fresh one hears them and takes over.

    Args:
        told: The fresh one is told suggestions by `replay`, and not asked for them again.
    """

    def __init__(self, make: Make, seed: int, cut: int | None, told: bool) -> None:
        self.make, self.seed, self.cut, self.told = make, seed, cut, told
        self.searcher = make(seed)
        self.calls: list[tuple[Any, ...]] = []

    def suggest(self, number: int) -> Suggestion:
        self._restart_if_due()
        params = self.searcher.suggest(number)
        self.calls.append(("suggest", number, json.loads(json.dumps(params))))
        return params

    def tell(self, call: str, *arguments: Any) -> None:
        self._restart_if_due()
        getattr(self.searcher, call)(*arguments)
        self.calls.append((call, *arguments))

    def _restart_if_due(self) -> None:
        if len(self.calls) != self.cut:
            return
        self.searcher = self.make(self.seed)
        for call, *arguments in self.calls:
            if call != "suggest":
                getattr(self.searcher, call)(*arguments)
            elif self.told and arguments[1] is not None:
                self.searcher.replay(*arguments)
            else:
                self.searcher.suggest(arguments[0])


@functools.cache
def run_study(make: Make, seed: int, cut: int | None = None, told: bool = False) -> list[Suggestion]:
    """All suggestions of a study whose trials report a few times and end in random order and in all states."""
    rng = random.Random(seed)
    journal = Journal(make, seed, cut, told)
    suggestions: list[Suggestion] = []
    running: list[tuple[str, Params]] = []
    for number in range(TRIALS):
        params = journal.suggest(number)
        suggestions.append(params)
        if params is not None:
            running.append((f"trial{number}", params))
        while len(running) >= RUNNING:
            trial, tried = running.pop(rng.randrange(len(running)))
            for step in range(1, rng.randrange(1, 4)):
                journal.tell("on_report", trial, step, rng.random())
                if rng.random() < 0.25:
                    journal.tell("on_pause", trial, tried)
            state = rng.choice(STATES)
            journal.tell("on_end", trial, tried, rng.random() if state in ("complete", "stopped") else None, state)
    return suggestions


def check_a_resumed_study_gets_the_same_suggestions(make: Make) -> None:
    for seed in SEEDS:
        cut = random.Random(seed).randrange(2 * TRIALS, 3 * TRIALS)  # of some 120 calls
        for told in (False, True):
            assert run_study(make, seed, cut, told) == run_study(make, seed)


def check_suggestions_are_in_the_space(make: Make) -> None:
    for seed in SEEDS:
        for params in run_study(make, seed):
            assert params is None or any(space.contains(params) for space in (SPACE, FINITE, SMALL)), params


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
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "gp" else ()) for name in SEARCHERS]
)
def test_contract(name: str, check: Callable[[Make], None]) -> None:
    check(SEARCHERS[name])


class Broken(RandomSearcher):
    """A searcher to break the contract with."""

    def __init__(self, seed: int) -> None:
        super().__init__(SPACE, seed)


class Streams(Broken):
    """Draws from one stream of the process, which a restart does not rewind."""

    rng = random.Random(0)

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


def test_another_process_suggests_the_same() -> None:
    make = [name for name in SEARCHERS if name != "gp"]  # imports torch
    program = f"""
import json
from test_searcher_contract import SEARCHERS, run_study
print(json.dumps([run_study(SEARCHERS[name], 7) for name in {make}]))
"""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == [run_study(SEARCHERS[name], 7) for name in make]
