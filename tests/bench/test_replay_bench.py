"""The replay on tables made by hand, with costs worked out by hand."""

from __future__ import annotations

import csv
import gzip
import json
import math
import sys
from pathlib import Path
from typing import Any

import benches  # noqa: F401  puts the others on the path
import decisions
import numpy as np
import pytest
import replay
from curve_table import Curve, Table, load_tables
from optuna.trial import TrialState
from proposals import Proposals, TPEProposals
from rivals import OptunaHalving, RayASHA
from simulator import Simulation

from raytune_nn.search.asha import ASHA
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import Scheduler


class InOrder(Proposals):
    """The table's configurations from the first to the last."""

    def __init__(self) -> None:
        self.learnt: list[tuple[str, float | None, str]] = []

    def next(self, number: int) -> int:
        return number

    def learn(self, trial: str, configuration: int, score: float | None, state: str) -> None:
        self.learnt.append((trial, score, state))


def flat(*scores: float, epochs: int = 9) -> Table:
    """Configurations that score the same after each epoch."""
    return Table("flat", [Curve({"x": float(i)}, [score] * epochs, False) for i, score in enumerate(scores)])


def cost(table: Table, scheduler: Scheduler, workers: int = 1) -> float | None:
    return Simulation(table, scheduler, InOrder(), workers).cost()


RISING = flat(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
MIXED = flat(0.5, 0.3, 0.8, 0.1, 0.9, 0.2, 0.7, 0.4, 0.6)


@pytest.mark.parametrize(("workers", "expected"), [(1, 6), (2, 3), (3, 2), (4, 6 / 4), (6, 1), (9, 6 / 9)])
def test_random_search_trains_all_before_the_best(workers: int, expected: float) -> None:
    # With four workers the last two trials run beside nothing: six trainings for four workers.
    assert cost(RISING, NoScheduler(), workers) == pytest.approx(expected)


def test_the_work_of_the_others_at_that_moment_counts() -> None:
    table = Table("t", [Curve({"x": 0.0}, [0.1] * 9, False), Curve({"x": 1.0}, [0.9] * 3, False)])
    assert cost(table, NoScheduler(), 2) == pytest.approx((3 + 3) / 9 / 2), "its own end is after 3 of 9 epochs"


def test_promotion_pays_new_epochs_only() -> None:
    # One after another: 0.5 and 0.3 pause at 1; 0.8 goes on to 3; 0.1 pauses at 1; 0.9 goes on to 3; 0.2, 0.7, 0.4 and
    # 0.6 pause at 1, and the ninth makes 0.7 the third best: it goes on to 3, the third there; 0.9 goes on to 9.
    assert cost(MIXED, ASHA(9)) == pytest.approx((9 * 1 + 3 * 2 + 6) / 9)


def test_stopping() -> None:
    # 0.5 and 0.3 come first and train to the end; of 0.8, 0.1 and 0.9 at 1 two go on; at 3, 0.8 and 0.9 are the best.
    assert cost(MIXED, ASHA(9, promote=False)) == pytest.approx((9 + 9 + 9 + 1 + 9) / 9)


def test_rays_asha_is_driven_by_what_it_answers() -> None:
    # Its cutoff is the two thirds quantile of the results before: 0.5 to the end; 0.3 stops at 1; 0.8 to the end;
    # 0.1 stops at 1; 0.9 to the end.
    assert cost(MIXED, RayASHA(9, 3)) == pytest.approx((9 + 1 + 9 + 1 + 9) / 9)


def test_optunas_halving_is_driven_by_what_it_answers() -> None:
    # It keeps the best alone while a rung has fewer than three: 0.5 to the end, 0.3 stops at 1, 0.8 and 0.9 to the end.
    assert cost(MIXED, OptunaHalving(3)) == pytest.approx((9 + 1 + 9 + 1 + 9) / 9)


def test_what_diverges_costs_the_epoch_it_diverged_in() -> None:
    curves = [Curve({"x": 0.0}, [], True), Curve({"x": 1.0}, [0.9, 0.9], True), Curve({"x": 2.0}, [0.1] * 9, False)]
    table, proposals = Table("t", curves), InOrder()
    assert Simulation(table, ASHA(9), proposals, 1).cost() == pytest.approx((1 + 3 + 9) / 9)
    assert ("0", None, "diverged") in proposals.learnt
    assert table.best == {2}


def test_a_best_one_that_is_stopped_is_never_reached() -> None:
    late = Table("t", [Curve({"x": 0.0}, [0.5] * 9, False)] * 3 + [Curve({"x": 1.0}, [0.0] * 8 + [1.0], False)])
    assert cost(late, ASHA(9, promote=False)) is None
    assert cost(late, NoScheduler()) == 4


def test_the_order_is_the_same_for_all_methods_and_without_replacement() -> None:
    first, second, other = Proposals(MIXED, 0), Proposals(MIXED, 0), Proposals(MIXED, 1)
    orders = [[proposals.next(i) for i in range(9)] for proposals in (first, second, other)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(9))


def test_tpe_tries_each_configuration_once_and_comes_near_the_best_soon() -> None:
    curves = [Curve({"x": 10.0 ** (i / 50 - 2), "y": 3.0}, [-abs(i - 150.0)] * 3, False) for i in range(200)]
    proposals = TPEProposals(Table("t", curves), 0)
    tried = []
    for number in range(60):
        tried.append(proposals.next(number))
        proposals.learn(str(number), tried[-1], curves[tried[-1]].scores[-1], "complete")
    assert len(set(tried)) == 60
    late = [abs(i - 150) for i in tried[20:]]
    assert sum(late) / len(late) < 63 / 2, "a random draw is 63 away"


def test_tpe_tries_the_whole_table_and_knows_what_runs() -> None:
    curves = [Curve({"x": float(i), "n": i % 3}, [float(i)] * 3, False) for i in range(20)]
    proposals = TPEProposals(Table("t", curves), 0)
    tried = [proposals.next(number) for number in range(12)]
    running = proposals.searcher._study.get_trials(states=[TrialState.RUNNING])
    assert [trial.params for trial in running] == [curves[i].params for i in tried]
    for number, configuration in enumerate(tried):
        proposals.learn(str(number), configuration, float(configuration), "complete")
    assert sorted(tried + [proposals.next(number) for number in range(12, 20)]) == list(range(20))


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """One table a format, three epochs each."""
    losses = [[9.0, 0.5, 0.4, 0.3], [0.0, 0.6, math.nan, 0.1]]
    entries = [{"hp": {"learning_rate": 0.1 * (i + 1)}, "valid": {"loss": loss}} for i, loss in enumerate(losses)]
    (tmp_path / "taskset").mkdir()
    (tmp_path / "taskset" / "words.json.gz").write_bytes(gzip.compress(json.dumps(entries).encode()))
    lines: list[dict[str, Any]] = [
        {"iteration": 1, "nan_train_loss": False, "epochs": 2, "lr": 0.1, "learning_curve": [0.1, 0.2]},
        {"iteration": 2, "nan_train_loss": True, "epochs": 3, "lr": 9.0, "learning_curve": []},
        {"iteration": 3, "nan_train_loss": False, "epochs": 3, "lr": 0.2, "learning_curve": [0.2, 0.3, 0.1]},
    ]
    for line in lines:
        line["learning_curve"] = [{"epoch": i, "top_1": top_1} for i, top_1 in enumerate(line["learning_curve"])]
    (tmp_path / "images.results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_both_formats_are_read(tables: Path) -> None:
    images, words = load_tables(tables)
    assert (images.task, words.task) == ("images", "words")
    assert words.curves == [
        Curve({"learning_rate": 0.1}, [-0.5, -0.4, -0.3], False),
        Curve({"learning_rate": 0.2}, [-0.6], True),
    ]
    assert images.curves == [
        Curve({"epochs": 2, "lr": 0.1}, [0.1, 0.2], False),
        Curve({"epochs": 3, "lr": 9.0}, [], True),
        Curve({"epochs": 3, "lr": 0.2}, [0.2, 0.3, 0.1], False),
    ]
    assert images.max_epochs == 3
    assert images.best == {0}
    assert load_tables(tables, untrained=0)[1].max_epochs == 4


def test_the_command_writes_its_table_and_prints_ratios(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "costs.csv"
    options = ["--tables", str(tables), "--workers", "1,2", "--seeds", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["replay.py", *options])
    replay.main()
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["task", "seed", "workers", "method", "cost"]
    methods = ["random", "asha-promotion", "asha-stopping", "tpe-asha", "median", "ray-asha", "optuna-halving"]
    assert {tuple(row.values())[:4] for row in rows} == {
        (task, seed, workers, method)
        for task in ("images", "words")
        for seed in "01"
        for workers in "12"
        for method in methods
    }
    assert len(rows) == 56
    assert "| ray-asha |" in capsys.readouterr().out


def test_ratios_are_taken_pair_by_pair_and_never_counts_as_more_than_anything() -> None:
    ours = np.array([1.0, 2.0, 3.0, math.inf, math.inf])
    theirs = np.array([2.0, 2.0, math.inf, 1.0, math.inf])
    # Ratios 1/2, 1, 0 and infinity; the last pair says nothing.
    assert replay.ratio(ours, theirs).startswith("0.750 (0.000 to ")
    assert replay.ratio(ours[4:], theirs[4:]) == "none"


def test_the_cost_of_decisions_and_of_a_replay_to_its_end(
    tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["decisions.py", "--tables", str(tables), "--known", "8,16", "--workers", "2"])
    monkeypatch.setattr(decisions, "DECISIONS", 6)
    decisions.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [name for name, *_ in rows if name in decisions.SCHEDULERS | decisions.POPULATIONS | replay.METHODS] == [
        *decisions.SCHEDULERS,
        *decisions.POPULATIONS,
        *replay.METHODS,
    ]
    assert all(float(cell) >= 0 for _, *cells in rows for cell in cells if cell[0].isdigit() and "trials" not in cell)
