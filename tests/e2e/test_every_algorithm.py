"""Every searcher and scheduler in a small study of the digits: the whole command, on the Ray that the tests share.

Each test looks for what only its algorithm does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import run as run_command
from processes import events, summary

from raytune_nn.search.cmaes import CMAES
from raytune_nn.search.gp import GaussianProcess
from raytune_nn.search.nsga2 import NSGA2
from raytune_nn.search.pbt_schedule import read_schedule
from raytune_nn.search.perturbation import DOWN, UP
from raytune_nn.search.quasi_random import QuasiRandom
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.searcher import Searcher
from raytune_nn.search.tpe import TPE
from raytune_nn.space.parse import parse_space

NUMBERS = {"optimizer": {"lr": "loguniform(1e-6, 0.1)", "weight_decay": "uniform(0, 0.1)"}}
CHOICES = {"optimizer": {"lr": "choice(0.001, 0.01)"}, "model": {"net": {"depth": "choice(1, 2)"}}}
SPACE = parse_space(NUMBERS)
LEARNING_RATES = (0.01, 0.02, 0.005, 1e-6)
LAST_IS_BAD = "search.points=[" + ", ".join(f"{{optimizer.lr: {lr}}}" for lr in LEARNING_RATES) + "]"
POPULATION = (
    *("search.scheduler.interval=1", "search.scheduler.resample=0"),
    "search.points=[" + ", ".join(f"{{optimizer: {{lr: {lr}, weight_decay: 0.01}}}}" for lr in LEARNING_RATES) + "]",
)
Journal = list[dict[str, Any]]
Run = Callable[..., Journal]


@pytest.fixture
def run(here: Path, ray_cluster: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a search to its end and returns its journal."""
    (here / "conf" / "search_space").mkdir(parents=True)
    (here / "conf" / "search_space" / "numbers.yaml").write_text(str(NUMBERS))
    (here / "conf" / "search_space" / "choices.yaml").write_text(str(CHOICES))

    @contextmanager
    def shared(*_: Any) -> Iterator[str]:
        yield ray_cluster

    monkeypatch.setattr("raytune_nn.modes.search.local_cluster", shared)

    def run(search: str, *arguments: str, trials: int = 4, epochs: int = 2, name: str = "a") -> Journal:
        budget = (f"budget.num_trials={trials}", f"budget.max_epochs={epochs}", "cluster.cpus=2", "trainer=cpu")
        space = () if any(argument.startswith("search_space=") for argument in arguments) else ("search_space=numbers",)
        where = ("--config-dir", "conf", f"study.name={name}")
        ran = run_command(f"+search={search}", *arguments, *space, *budget, *where)
        assert ran.code == 0, ran.err
        assert summary(here / "studies" / name)["status"] == "complete"
        return events(here / "studies" / name)

    return run


def of(journal: Journal, kind: str) -> Journal:
    return [event for event in journal if event["type"] == kind]


def tried(journal: Journal) -> list[dict[str, Any]]:
    return [event["params"] for event in of(journal, "suggested")]


def told_nothing(searcher: Searcher, trials: int) -> list[Any]:
    """What a searcher suggests that hears of no result."""
    return [searcher.suggest(number) for number in range(trials)]


def paused_or_stopped(journal: Journal, decision: str) -> dict[str, tuple[int, str]]:
    """The first such decision of each trial: its epoch and its reason."""
    found: dict[str, tuple[int, str]] = {}
    for event in of(journal, "decided"):
        if event["decision"] == decision:
            found.setdefault(event["trial"], (event["epoch"], event["reason"]))
    return found


@pytest.mark.parametrize(("name", "kind"), [("random", RandomSearcher), ("quasi_random", QuasiRandom)])
def test_one_that_learns_nothing_draws_from_the_seed_alone(run: Run, name: str, kind: type[Any]) -> None:
    journal = run(name, "seed=3")
    assert tried(journal) == told_nothing(kind(SPACE, 3), 4)
    assert of(journal, "decided") == [], "without a scheduler all train to the end"
    assert len(of(journal, "reported")) == 4 * 2


def test_a_grid_tries_every_point_once(run: Run) -> None:
    points = [
        (params["optimizer.lr"], params["model.net.depth"]) for params in tried(run("grid", "search_space=choices"))
    ]
    assert sorted(points) == [(0.001, 1), (0.001, 2), (0.01, 1), (0.01, 2)]


@pytest.mark.parametrize(
    ("name", "argument", "make"),
    [
        ("tpe", "startup_trials=2", lambda: TPE(SPACE, 0, startup_trials=2)),
        ("gp", "startup_trials=2", lambda: GaussianProcess(SPACE, 0, startup_trials=2)),
        ("cmaes", "population_size=4", lambda: CMAES(SPACE, 0, population_size=4)),
        ("nsga2", "population_size=2", lambda: NSGA2(SPACE, 0, population_size=2)),
    ],
)
def test_one_that_learns_begins_at_random_and_goes_on_by_the_results(
    run: Run, name: str, argument: str, make: Callable[[], Searcher]
) -> None:
    suggested, without_results = (
        tried(run(name, f"search.searcher.{argument}", trials=8, epochs=1)),
        told_nothing(make(), 8),
    )
    assert suggested[0] == without_results[0]
    assert suggested[-1] != without_results[-1]


def test_points_come_first_and_an_earlier_study_is_learnt_from(run: Run) -> None:
    command = ("search/searcher=tpe", "search.searcher.startup_trials=2", "search.points=[{optimizer.lr: 0.05}]")
    cold = tried(run("random", *command, trials=3))
    warm = tried(run("random", *command, "search.warm_start=studies/a", trials=3, name="b"))
    assert [params["optimizer.lr"] for params in (cold[0], warm[0])] == [0.05, 0.05]
    assert cold[1] == told_nothing(TPE(SPACE, 0), 1)[0], "random still"
    assert warm[1] != cold[1]


def test_asha_promotes(run: Run) -> None:
    journal = run("asha", "search.scheduler.reduction_factor=2", epochs=4)
    paused = paused_or_stopped(journal, "pause")
    assert {epoch for epoch, _ in paused.values()} <= {1, 2}
    assert all(reason.startswith("paused at rung") for _, reason in paused.values())
    assert {event["source"] for event in of(journal, "resumed")} <= {None}
    assert max(event["epoch"] for event in of(journal, "reported")) == 4


def test_asha_without_promotion_stops(run: Run) -> None:
    journal = run(
        "asha", "search.scheduler.promote=false", "search.scheduler.reduction_factor=2", LAST_IS_BAD, epochs=4
    )
    stopped = paused_or_stopped(journal, "stop")
    assert stopped["3"][0] == 1
    assert stopped["3"][1].startswith("stopped at rung 1: ")
    assert of(journal, "resumed") == []


def test_the_brackets_of_bohb_begin_at_different_rungs(run: Run) -> None:
    journal = run("bohb", "search.scheduler.reduction_factor=2", "search.scheduler.brackets=2", trials=5, epochs=4)
    first = {epoch for epoch, _ in paused_or_stopped(journal, "pause").values()}
    assert first == {1, 2}


def test_median_stopping_stops_what_is_below_the_others(run: Run) -> None:
    journal = run(
        "random",
        "search/scheduler=median",
        "search.scheduler.grace_period=1",
        "search.scheduler.min_trials=1",
        LAST_IS_BAD,
    )
    epoch, reason = paused_or_stopped(journal, "stop")["3"]
    assert (epoch, reason[:19]) == (1, "stopped at epoch 1:")
    assert " < median " in reason


def test_patience_stops_what_no_longer_improves(run: Run) -> None:
    stuck = "search.points=[{optimizer.lr: 1e-6}]"  # too small a learning rate for a score to change in two epochs
    journal = run("random", "search/scheduler=patience", "search.scheduler.reports=1", stuck, trials=1, epochs=4)
    epoch, reason = paused_or_stopped(journal, "stop")["0"]
    assert reason.startswith("stopped: nothing better since ")
    assert epoch < 4


def factors_of_copies(journal: Journal) -> list[float]:
    """By what the copies of a population changed what they took over."""
    now = {str(number): params for number, params in enumerate(tried(journal))}
    factors = []
    for event in of(journal, "resumed"):
        if event["source"] is not None:
            factors += [value / now[event["source"]][path] for path, value in event["params"].items()]
            now[event["trial"]] = event["params"]
    return factors


def is_perturbed(factor: float) -> bool:
    return any(math.isclose(factor, step) for step in (DOWN, UP))


def test_the_worst_of_a_population_copies_and_the_schedule_is_replayed(run: Run) -> None:
    journal = run("pbt", *POPULATION, epochs=4)
    assert "3" in {event["trial"] for event in of(journal, "resumed") if event["source"] is not None}
    assert all(map(is_perturbed, factors_of_copies(journal)))
    first, *later = read_schedule("studies/a", SPACE)
    again = run("pbt_replay", "search.scheduler.study=studies/a", trials=1, epochs=4, name="b")
    assert tried(again) == [first.params]
    assert [event["params"] for event in of(again, "resumed")] == [stage.params for stage in later]


def test_the_bandit_goes_elsewhere_than_a_perturbation_once_gains_are_known(run: Run) -> None:
    factors = factors_of_copies(run("pb2", *POPULATION, epochs=5))
    assert all(map(is_perturbed, factors[:2])), "the first copy knows no gain"
    assert not all(map(is_perturbed, factors))
