"""Whole commands from a cold start: the same 64 small trainings here and with three peers, interleaved.

    .venv/bin/python scripts/bench/overhead.py [--trials 64] [--epochs 10] [--cpus 2] [--repeats 3] [--skip documented]

Ours runs once with the very module and loaders of the peers, once with the built-in module and data path on the same
network, space, split and batches; the peers are in ``peers/``. With early stopping, ASHA meets Optuna's successive
halving. Prints two Markdown tables, of seconds and of ratios run by run: median (min to max), and marks the medians
that miss their aim.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from timings import judged, spread, wall_seconds

PEERS = Path(__file__).resolve().parent / "peers"
SAME, BUILT_IN, ASHA = "raytune_nn, same module", "raytune_nn, built in", "raytune_nn, same module, ASHA"
OPTUNA, HALVING = "Optuna, two processes", "Optuna, two processes, halving"
BY_HAND, DOCUMENTED = "Ray Tune by hand", "Ray Tune as documented"
RATIOS = (  # what is compared, and what it should be at most
    (SAME, OPTUNA, 1.25),
    (SAME, BY_HAND, 0.55),
    (BUILT_IN, OPTUNA, 0.9),
    (BUILT_IN, BY_HAND, 0.6),
    (BUILT_IN, DOCUMENTED, 0.12),
    (ASHA, HALVING, 1.2),
)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    for name, default in (("trials", 64), ("epochs", 10), ("cpus", 2), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--skip", default="", help="words of the names that are left out, with commas")
    options = parser.parse_args()
    skipped = [word for word in options.skip.split(",") if word]
    seconds: dict[str, list[float]] = {}
    for repeat in range(options.repeats):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for name, command in commands(options, folder).items():
                if any(word in name for word in skipped):
                    continue
                took = wall_seconds(command, PYTHONPATH=str(PEERS))
                seconds.setdefault(name, []).append(took)
                print(f"{repeat + 1}/{options.repeats}  {took:6.1f} s  {name}", file=sys.stderr, flush=True)
    print(tables(seconds, options))


def commands(options: argparse.Namespace, folder: str) -> dict[str, list[str]]:
    """What is compared, by name."""
    ours = [
        *("seed=0", f"budget.num_trials={options.trials}", f"budget.max_epochs={options.epochs}"),
        *(f"cluster.cpus={options.cpus}", f"study.storage={folder}"),
    ]
    same = [*ours, "--config-dir", str(PEERS / "conf"), "model=by_hand", "data=by_hand", "optimizer=from_model"]
    built_in = [
        *(*ours, "model.net.norm=none", "data.val_fraction=0.2", "data.test_fraction=0.05"),
        *("~search_space.data", "~search_space.model.net.activation"),
    ]
    numbers = [str(number) for number in (options.trials, options.epochs, options.cpus)]
    python, module = sys.executable, [sys.executable, "-m", "raytune_nn"]
    return {
        OPTUNA: [python, str(PEERS / "optuna_by_hand.py"), *numbers, f"{folder}/optuna"],
        SAME: [*module, "+search=random", *same, "study.name=same"],
        BY_HAND: [python, str(PEERS / "ray_by_hand.py"), *numbers, f"{folder}/ray"],
        BUILT_IN: [*module, "+search=random", *built_in, "study.name=built_in"],
        HALVING: [python, str(PEERS / "optuna_by_hand.py"), *numbers, f"{folder}/halving", "halving"],
        ASHA: [*module, "+search=asha", *same, "study.name=asha"],
        DOCUMENTED: [python, str(PEERS / "ray_as_documented.py"), *numbers, f"{folder}/documented"],
    }


def tables(seconds: dict[str, list[float]], options: argparse.Namespace) -> str:
    """Seconds and ratios as Markdown."""
    lines = [
        f"{options.trials} trainings of {options.epochs} epochs, {options.cpus} CPUs, {options.repeats} runs each",
        *("", "| whole command | seconds |", "|---|---|"),
        *(f"| {name} | {spread(values, 1)} |" for name, values in seconds.items()),
        *("", "| ratio | | aim |", "|---|---|---|"),
    ]
    for ours, theirs, aim in RATIOS:
        if ours in seconds and theirs in seconds:
            ratios = [mine / other for mine, other in zip(seconds[ours], seconds[theirs], strict=True)]
            found = judged(spread(ratios, 2), statistics.median(ratios) <= aim)
            lines.append(f"| {ours} / {theirs} | {found} | ≤ {aim} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
