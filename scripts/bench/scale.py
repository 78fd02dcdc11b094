"""Thousands of short trials on many slots: trainings that sleep a second, here and on Ray Tune by hand.

    .venv/bin/python scripts/bench/scale.py [--trials 10000] [--seconds 1] [--slots 16] [--only ours,ray]

Prints a Markdown table: milliseconds of wall time a trial, start-up excluded (the ideal is seconds / slots); the same
of the last tenth of the trials beside the second; and of the driver, CPU milliseconds and KB of memory a trial.
Ours runs the whole trial, Lightning's Trainer and all; a trial of Ray Tune's only sleeps and reports.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from raytune_nn.store.journal import read_journal

PEERS = Path(__file__).resolve().parent / "peers"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """One study, sampled once a second."""

    ends: list[float] = field(default_factory=list)  # of trials, seconds since the epoch, in their order
    samples: list[tuple[float, float, float]] = field(default_factory=list)  # time, the driver's CPU seconds and MB

    def at(self, trial: int) -> tuple[float, float, float]:
        """The sample taken first after so many trials had ended."""
        return next((sample for sample in self.samples if sample[0] >= self.ends[trial]), self.samples[-1])

    def row(self) -> list[str]:
        """Of the table; the first tenth holds the start, so rates are taken behind it."""
        count = len(self.ends)
        tenth = count // 10
        first, last = self.ends[2 * tenth] - self.ends[tenth], self.ends[-1] - self.ends[-1 - tenth]
        before, after = self.at(tenth), self.at(count - 1)
        trials = count - 1 - tenth
        each = (self.ends[-1] - self.ends[tenth]) / trials
        cpu, memory = (after[1] - before[1]) / trials, (after[2] - before[2]) / trials
        return [f"{1e3 * each:.1f}", f"{last / first:.3f}", f"{1e3 * cpu:.1f}", f"{1e3 * memory:.1f}"]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--only", default="ours,ray")
    options = parser.parse_args()
    heads = ["ms a trial", "last tenth / second tenth", "driver CPU, ms a trial", "driver memory, KB a trial"]
    print(f"{options.trials} trials of {options.seconds:g} s on {options.slots} slots", end="")
    print(f" (ideal: {1e3 * options.seconds / options.slots:.1f} ms a trial)\n")
    print(f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            measured = measure(command(name, options, folder))
            if name == "ours":
                events = read_journal(Path(folder) / "scale" / "journal")
                measured.ends = [event["time"] for event in events if event["type"] == "ended"]
        print(f"| {name} | {' | '.join(measured.row())} |", flush=True)


def command(name: str, options: argparse.Namespace, folder: str) -> list[str]:
    """What is run."""
    if name == "ray":
        numbers = map(str, (options.trials, options.seconds, options.slots))
        return [sys.executable, str(PEERS / "ray_sleepers.py"), *numbers, f"{folder}/ray"]
    return [
        *(sys.executable, "-m", "raytune_nn", "+search=random", "--config-dir", str(PEERS / "conf")),
        *("model=sleepers", "data=sleepers", "optimizer=from_model", "objective.metric=score"),
        *(f"model.seconds={options.seconds}", "budget.max_epochs=1", f"budget.num_trials={options.trials}"),
        *(f"cluster.cpus={options.slots}", f"study.storage={folder}", "study.name=scale", "verbose=1"),
    ]


def measure(command: list[str]) -> Measured:
    """Runs a study, and hears of the ends of its trials where it prints them."""
    measured = Measured()
    environment = {**os.environ, "PYTHONPATH": str(PEERS), "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        sampler = threading.Thread(target=_sample, args=(process, measured))
        sampler.start()
        for line in process.stdout:
            words = line.split()
            if words[:1] == [b"trial"]:
                measured.ends.append(float(words[2]))
        sampler.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return measured


def _sample(process: subprocess.Popen[bytes], measured: Measured) -> None:
    while process.poll() is None:
        try:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return
        seconds = (int(fields[11]) + int(fields[12])) / TICKS
        measured.samples.append((time.time(), seconds, pages * os.sysconf("SC_PAGE_SIZE") / 1e6))
        time.sleep(1)


if __name__ == "__main__":
    main()
