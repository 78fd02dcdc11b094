"""What the scheduling itself costs: one decision among 100, 1,000 and 10,000 trials, and a replay of 1,000 trials.

    .venv/bin/python scripts/bench/decisions.py [--tables ../shared/curves] [--known 100,1000,10000] [--workers 25]

A decision is a report with its verdict and the question who runs next, while so many trials are known: the median of
300; for a population, its members. The replay is that of ``replay.py`` on the largest table there, until all its
configurations are tried: nothing ends it early. Prints two Markdown tables.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import replay  # which puts its folder on the import path
from curve_table import Table, load_tables
from timings import SHARED

from raytune_nn.search.asha import ASHA
from raytune_nn.search.median import MedianStopping
from raytune_nn.search.patience import Patience
from raytune_nn.search.pb2 import PB2
from raytune_nn.search.pbt import PBT
from raytune_nn.search.scheduler import Decision, Scheduler
from raytune_nn.space.domains import LogUniform
from raytune_nn.space.space import Space

EPOCHS, INTERVAL, DECISIONS = 81, 3, 300
SPACE = Space({"optimizer.lr": LogUniform(1e-4, 1e-1)})
SCHEDULERS: dict[str, Callable[[], Scheduler]] = {
    "asha": partial(ASHA, EPOCHS),
    "asha, three brackets": partial(ASHA, EPOCHS, brackets=3),
    "asha, promote=false": partial(ASHA, EPOCHS, promote=False),
    "median": partial(MedianStopping, grace_period=1),
    "patience": Patience,
}
POPULATIONS: dict[str, Callable[[int], Scheduler]] = {  # by the number of members
    "pbt": partial(PBT, max_epochs=EPOCHS, interval=INTERVAL, space=SPACE),
    "pbt, tournament": partial(PBT, max_epochs=EPOCHS, interval=INTERVAL, space=SPACE, exploit="tournament"),
    "pb2": partial(PB2, max_epochs=EPOCHS, interval=INTERVAL, space=SPACE),
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=Path, default=SHARED / "curves")
    parser.add_argument(
        "--known", type=lambda text: [int(part) for part in text.split(",")], default=[100, 1000, 10000]
    )
    parser.add_argument("--workers", type=int, default=25)
    options = parser.parse_args()
    tables = load_tables(options.tables)
    if not tables:
        sys.exit(f"no tables (*.json.gz, *.jsonl) in {options.tables}")
    row(["µs a decision", *(f"{known:,} trials" for known in options.known)])
    row(["---"] * (1 + len(options.known)))
    for name, make in SCHEDULERS.items():
        row([name, *(f"{one_after_another(make(), known):.1f}" for known in options.known)])
    for name, make_for in POPULATIONS.items():
        row([name, *(f"{population(make_for(known), known):.1f}" for known in options.known)])
    table = max(tables, key=lambda table: len(table.curves))
    print()
    row([f"of {len(table.curves):,} trials", "seconds"])
    row(["---"] * 2)
    for method in replay.METHODS:
        row([method, f"{seconds_to_replay(table, method, options.workers):.1f}"])


def row(cells: list[str]) -> None:
    """One row of a Markdown table, as soon as it is known."""
    print(f"| {' | '.join(cells)} |", flush=True)


def one_after_another(scheduler: Scheduler, known: int) -> float:
    """Each trial reports at the first step, and at the next where it goes on."""
    rng = random.Random(0)
    took: list[float] = []
    steps = [*sorted(scheduler.decision_steps or {1}), EPOCHS]
    reached: dict[str, int] = {}
    running: deque[str] = deque()
    while len(reached) < known + DECISIONS:
        if not running:
            running.append(str(len(reached)))
            scheduler.on_start(running[0], {})
        trial = running.popleft()
        reached[trial] = reached.get(trial, -1) + 1
        begin = time.perf_counter()
        verdict = scheduler.on_report(trial, steps[reached[trial]], rng.random())
        resumption = scheduler.next_to_run(new_available=True)
        took.append(time.perf_counter() - begin)
        if steps[reached[trial]] == EPOCHS or verdict.decision is Decision.STOP:
            scheduler.on_end(trial, complete=verdict.decision is not Decision.STOP)
        elif verdict.decision is Decision.CONTINUE:
            running.append(trial)
        if resumption is not None:
            running.append(resumption.trial)
    return 1e6 * statistics.median(took[-DECISIONS:])


def population(scheduler: Scheduler, known: int) -> float:
    """All members report at the first step; then one after another goes on to the next."""
    rng = random.Random(0)
    took: list[float] = []
    for trial in map(str, range(known)):
        scheduler.on_start(trial, {"optimizer.lr": 10 ** rng.uniform(-4, -1)})
        scheduler.on_report(trial, INTERVAL, rng.random())
    saved = dict.fromkeys(map(str, range(known)), INTERVAL)
    while len(took) < DECISIONS:
        begin = time.perf_counter()
        resumption = scheduler.next_to_run(new_available=False)
        assert resumption is not None
        saved[resumption.trial] = saved[resumption.source or resumption.trial] + INTERVAL
        scheduler.on_report(resumption.trial, saved[resumption.trial], rng.random())
        took.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(took)


def seconds_to_replay(table: Table, method: str, workers: int) -> float:
    """Until all configurations of the table were tried, and all ended that the scheduler lets end."""
    simulation = replay.simulation(table, 0, workers, method)
    simulation.best = frozenset()  # nothing ends it early
    begin = time.perf_counter()
    simulation.cost()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
