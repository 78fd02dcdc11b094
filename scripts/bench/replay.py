"""Replays searches on tables of real learning curves: what each method spends until it has one of the best 1%.

    .venv/bin/python scripts/bench/replay.py [--tables ../shared/curves] [--workers 1,4,25] [--seeds 20]
        [--methods random,asha-promotion,…] [--out replay.csv]

A discrete-event simulation: the very searchers and schedulers of this project, Ray's ASHAScheduler and Optuna's pruner
run studies on a virtual clock (``replay/simulator.py``); training is reading the table. All methods try the same
configurations in the same order, except where TPE chooses. Cost is the work of all workers, in trainings of the table's
largest number of epochs, divided by the number of workers, until a configuration among the best 1% by final score
has been trained to its own end; empty where that never happens. Writes the CSV and prints medians, and
ratios pair by pair to two of the methods with 95% bootstrap intervals over tasks and seeds.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "replay"))
from curve_table import Table, load_tables
from proposals import Proposals, TPEProposals
from rivals import OptunaHalving, RayASHA
from simulator import Simulation
from timings import SHARED

from raytune_nn.search.asha import ASHA
from raytune_nn.search.median import MedianStopping
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.scheduler import Scheduler

FACTOR = 3  # of all methods that halve; their first rung is 1 epoch
METHODS: dict[str, Callable[[Table], Scheduler]] = {
    "random": lambda table: NoScheduler(),
    "asha-promotion": lambda table: ASHA(table.max_epochs, reduction_factor=FACTOR),
    "asha-stopping": lambda table: ASHA(table.max_epochs, reduction_factor=FACTOR, promote=False),
    "tpe-asha": lambda table: ASHA(table.max_epochs, reduction_factor=FACTOR),
    "median": lambda table: MedianStopping(),
    "ray-asha": lambda table: RayASHA(table.max_epochs, FACTOR),
    "optuna-halving": lambda table: OptunaHalving(FACTOR),
}
REFERENCES = ("ray-asha", "asha-promotion")
COLUMNS = ("task", "seed", "workers", "method", "cost")

Row = tuple[str, int, int, str, float | None]


def main() -> None:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=Path, default=SHARED / "curves")
    parser.add_argument("--workers", type=lambda text: [int(part) for part in text.split(",")], default=[1, 4, 25])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    parser.add_argument("--untrained", type=int, default=1, help="TaskSet's points before training, no epochs")
    parser.add_argument("--out", type=Path, default=Path("replay.csv"))
    options = parser.parse_args()
    tables = load_tables(options.tables, options.untrained)
    if not tables:
        sys.exit(f"no tables (*.json.gz, *.jsonl) in {options.tables}")
    rows = []
    with options.out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in measure(tables, options.workers, options.seeds, options.methods):
            rows.append(row)
            writer.writerow(row)  # None is an empty field
    for workers in options.workers:
        print(summary([row for row in rows if row[2] == workers], workers))


def measure(tables: list[Table], workers: list[int], seeds: int, methods: list[str]) -> Iterable[Row]:
    """One row a study."""
    for table in tables:
        for count in workers:
            for method in methods:
                print(f"{table.task}, {count} workers, {method}", file=sys.stderr, flush=True)
                for seed in range(seeds):
                    yield table.task, seed, count, method, replay(table, seed, count, method)


def replay(table: Table, seed: int, workers: int, method: str) -> float | None:
    """The cost of one study."""
    return simulation(table, seed, workers, method).cost()


def simulation(table: Table, seed: int, workers: int, method: str) -> Simulation:
    """One study, before it begins."""
    proposals = TPEProposals(table, seed) if method.startswith("tpe") else Proposals(table, seed)
    return Simulation(table, METHODS[method](table), proposals, workers)


def summary(rows: list[Row], workers: int) -> str:
    """A Markdown table of one number of workers."""
    costs: dict[str, dict[tuple[str, int], float]] = {}
    for task, seed, _, method, cost in rows:
        costs.setdefault(method, {})[task, seed] = np.inf if cost is None else cost
    references = [name for name in REFERENCES if name in costs]
    lines = [
        f"\n{workers} workers: median cost, studies that never got there, median ratio (95% interval)\n",
        f"| method | cost | never | {' | '.join(f'to {name}' for name in references)} |",
        "|---|---|---|" + "---|" * len(references),
    ]
    for method, by_pair in costs.items():
        values = np.array(list(by_pair.values()))
        never = f"{np.isinf(values).sum()} of {len(values)}"
        ratios = [ratio(values, np.array(list(costs[name].values()))) for name in references]
        lines.append(f"| {method} | {np.median(values):.2f} | {never} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def ratio(costs: np.ndarray, references: np.ndarray) -> str:
    """Median of the ratios, pair by pair; a study that never got there cost more than any that did."""
    both_never = np.isinf(costs) & np.isinf(references)
    if both_never.all():
        return "none"
    ratios = costs[~both_never] / references[~both_never]
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(ratios, (2000, len(ratios))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975], method="nearest")  # between finite ones and infinity lies nothing
    return f"{np.median(ratios):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
