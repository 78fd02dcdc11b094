"""Whole commands from a cold start: the same 64 small trainings here and on Ray Tune by hand, interleaved.

    .venv/bin/python scripts/bench/overhead.py [--trials 64] [--epochs 10] [--cpus 2] [--repeats 3]

Prints a Markdown table of seconds and of ratios to the hand-written search, pair by pair: median (min to max). Three
commands take turns: the search by hand (``peers/ray_by_hand.py``), ours with the very same module and loaders, and ours
with the built-in module and data path on the same network, space, split and batches.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timings import timings_table

PEERS = Path(__file__).resolve().parent / "peers"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    for name, default in (("trials", 64), ("epochs", 10), ("cpus", 2), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    for repeat in range(options.repeats):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for name, command in commands(options, folder).items():
                took = measure(command)
                seconds.setdefault(name, []).append(took)
                print(f"{repeat + 1}/{options.repeats}  {took:6.1f} s  {name}", file=sys.stderr, flush=True)
    title = f"{options.trials} trainings of {options.epochs} epochs, {options.cpus} CPUs, {options.repeats} runs each"
    print(timings_table(title, ("whole command", "seconds", "ratio"), seconds, lambda hand, this: this / hand))


def commands(options: argparse.Namespace, folder: str) -> dict[str, list[str]]:
    """What is compared; the first is what the others are measured against."""
    ours = [
        *(sys.executable, "-m", "raytune_nn", "+search=random", "seed=0"),
        *(f"budget.num_trials={options.trials}", f"budget.max_epochs={options.epochs}"),
        *(f"cluster.cpus={options.cpus}", f"study.storage={folder}"),
    ]
    same = ["--config-dir", str(PEERS / "conf"), "model=by_hand", "data=by_hand", "optimizer=from_model"]
    built_in = [
        *("model.net.norm=none", "data.val_fraction=0.2", "data.test_fraction=0.05"),
        *("~search_space.data", "~search_space.model.net.activation"),
    ]
    by_hand = [sys.executable, str(PEERS / "ray_by_hand.py")]
    return {
        "Ray Tune by hand": [*by_hand, *map(str, (options.trials, options.epochs, options.cpus)), f"{folder}/ray"],
        "raytune_nn, same module and loaders": [*ours, *same, "study.name=same"],
        "raytune_nn, built in": [*ours, *built_in, "study.name=built_in"],
    }


def measure(command: list[str]) -> float:
    """Wall seconds of a command; its output is shown only if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(PEERS), "PYTHONWARNINGS": "ignore"}
    start = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    took = time.monotonic() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return took


if __name__ == "__main__":
    main()
