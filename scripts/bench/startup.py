"""From the command to the first report of a trial: here and on Ray Tune as documented, interleaved.

    .venv/bin/python scripts/bench/startup.py [--repeats 5]

Two trials of one epoch on two slots, with the same module and loaders. A report counts once it is in the journal, or in
Tune's result file, which are looked at every 10 ms. Prints Markdown: seconds, and the ratio run by run: median (min to
max).
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
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for name, (command, files) in commands(folder).items():
                seconds.setdefault(name, []).append(first_report(command, Path(folder), files))
    title = f"Seconds from the command to the first report, {options.repeats} runs each"
    print(timings_table(title, ("command", "seconds", "ratio"), seconds, aim=0.8))


def commands(folder: str) -> dict[str, tuple[list[str], str]]:
    """What is compared, and the files that hold its reports."""
    same = ["--config-dir", str(PEERS / "conf"), "model=by_hand", "data=by_hand", "optimizer=from_model"]
    budget = ["budget.num_trials=2", "budget.max_epochs=1", "cluster.cpus=2"]
    ours = [sys.executable, "-m", "raytune_nn", "+search=random", *same, *budget, f"study.storage={folder}/ours"]
    documented = [sys.executable, str(PEERS / "ray_as_documented.py"), "2", "1", "2", f"{folder}/ray"]
    return {
        "Ray Tune as documented": (documented, "ray/*/*/result.json"),
        "raytune_nn": (ours, "ours/*/journal/*.jsonl"),
    }


def first_report(command: list[str], folder: Path, files: str) -> float:
    """Seconds until a file has a report; the command then runs to its end."""
    environment = {**os.environ, "PYTHONPATH": str(PEERS), "PYTHONWARNINGS": "ignore"}
    begun = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not any("val_acc" in path.read_text() for path in folder.glob(files)):
            if process.poll() is not None:
                sys.exit(f"{' '.join(command)} ended without a report")
            time.sleep(0.01)
        return time.monotonic() - begun


if __name__ == "__main__":
    main()
