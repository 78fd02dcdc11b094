"""Short trials on many slots: trainings that sleep, here and on Ray Tune by hand; what they take more is the engine's.

    .venv/bin/python scripts/bench/scale.py [--trials 10000] [--seconds 1] [--slots 16] [--repeats 1] [--reports 1]
        [--only ours,ray]

Prints a Markdown table, start-up excluded: milliseconds of wall time a trial (the ideal is seconds / slots), and how
much of the slots' time is sleep; the time of the last tenth of the trials beside the second; and of the driver, CPU
milliseconds and KB of memory a trial, where there are enough trials to tell. Repeats take turns; of several, each
figure is the median, with the extremes beside it. With ``--reports`` two more studies run here, whose scheduler decides
on each report: trials of one, and trials that sleep as long but report so often; what the second driver needs more is
that of the reports. Ours runs the whole trial, Lightning's Trainer and all; a trial of Ray Tune's only sleeps and
reports.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from timings import judged

from raytune_nn.store.journal import read_journal

PEERS = Path(__file__).resolve().parent / "peers"
TICKS = os.sysconf("SC_CLK_TCK")
EACH, TRAIN, TENTHS = "ms a trial", "slots train, % of the time", "last tenth / second tenth"
CPU, MEMORY, REPORT = "driver CPU, ms a trial", "driver memory, KB a trial", "driver CPU, ms a report"
RATIO = "ms a trial, ours / ray"
LEAST = {CPU: 100, MEMORY: 1000}  # trials, below which a figure says little
AIMS = {TENTHS: 1.05, CPU: 20, MEMORY: 40, REPORT: 3}  # at most
AIMS_OF_A_SECOND = {EACH: 66, RATIO: 0.6}  # on 16 slots
LEAST_SHARES = {0.5: 92, 10: 99}  # seconds -> the aim of TRAIN, at least
Figures = dict[str, float]  # by the names above


@dataclass
class Measured:
    """One study, sampled ten times a second."""

    ends: list[float] = field(default_factory=list)  # of trials, seconds since the epoch, in their order
    samples: list[tuple[float, float, float]] = field(default_factory=list)  # time, the driver's CPU seconds and MB

    def at(self, trial: int) -> tuple[float, float, float]:
        """The sample taken first after so many trials had ended."""
        return next((sample for sample in self.samples if sample[0] >= self.ends[trial]), self.samples[-1])

    def figures(self, seconds: float, slots: int) -> Figures:
        """Of trials of so many seconds, in whole waves, one a slot; the first tenth, with the start in it, is out."""
        waves, tenth = len(self.ends) // slots, len(self.ends) // 10
        first, last = slots * max(1, waves // 10) - 1, slots * waves - 1
        trials = last - first
        each = (self.ends[last] - self.ends[first]) / trials
        before, after = self.at(first), self.at(last)
        figures = {EACH: 1e3 * each, TRAIN: 100 * seconds / slots / each}
        if tenth >= 10 * slots:
            second = self.ends[2 * tenth] - self.ends[tenth]
            figures[TENTHS] = (self.ends[-1] - self.ends[-1 - tenth]) / second
        figures[CPU] = 1e3 * (after[1] - before[1]) / trials
        figures[MEMORY] = 1e3 * (after[2] - before[2]) / trials
        return {name: value for name, value in figures.items() if len(self.ends) >= LEAST.get(name, 0)}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--reports", type=int, default=1, help="more than 1: measures what one costs")
    parser.add_argument("--only", default="ours,ray")
    options = parser.parse_args()
    needed = max(2 * options.slots, LEAST[CPU] if options.reports > 1 else 0)
    if options.trials < needed:
        parser.error(f"so few trials say nothing: --trials {needed}")
    found: dict[str, list[Figures]] = {name: [] for name in options.only.split(",")}
    for _ in range(options.repeats):
        for name, figures in found.items():
            figures.append(run(name, options).figures(options.seconds, options.slots))
            print(name, figures[-1], file=sys.stderr, flush=True)
    if options.reports > 1:
        one, many = (
            run("ours", options, reports).figures(options.seconds, options.slots) for reports in (1, options.reports)
        )
        found.setdefault("ours", [{}])[0][REPORT] = (many[CPU] - one[CPU]) / (options.reports - 1)
    for ours, ray in zip(found.get("ours", []), found.get("ray", []), strict=False):
        ours[RATIO] = ours[EACH] / ray[EACH]
    print(f"{options.trials} trials of {options.seconds:g} s on {options.slots} slots", end="")
    print(f" (ideal: {1e3 * options.seconds / options.slots:.1f} ms a trial)\n")
    print(table(found, options.seconds, options.slots))


def run(name: str, options: argparse.Namespace, reports: int | None = None) -> Measured:
    """One study."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measured = measure(command(name, options, folder, reports))
        if name == "ours":
            events = read_journal(Path(folder) / "scale" / "journal")
            measured.ends = [event["time"] for event in events if event["type"] == "ended"]
    return measured


def command(name: str, options: argparse.Namespace, folder: str, reports: int | None) -> list[str]:
    """What is run.

    Args:
        reports: Of a trial, each of which a scheduler decides on; None: one, and no scheduler.
    """
    if name == "ray":
        numbers = map(str, (options.trials, options.seconds, options.slots))
        return [sys.executable, str(PEERS / "ray_sleepers.py"), *numbers, f"{folder}/ray"]
    epochs = reports or 1
    decided = () if reports is None else ("search/scheduler=patience", f"search.scheduler.reports={reports + 1}")
    return [
        *(sys.executable, "-m", "raytune_nn", "+search=random", *decided, "--config-dir", str(PEERS / "conf")),
        *("model=sleepers", "data=sleepers", "optimizer=from_model", "objective.metric=score"),
        *(f"model.seconds={options.seconds / epochs}", f"budget.max_epochs={epochs}"),
        *(f"budget.num_trials={options.trials}", f"cluster.cpus={options.slots}"),
        *(f"study.storage={folder}", "study.name=scale", "verbose=1"),
    ]


def table(found: Mapping[str, Sequence[Figures]], seconds: float, slots: int) -> str:
    """A row a figure, with its aim, and marked where our median misses it."""
    aims = AIMS | (AIMS_OF_A_SECOND if (seconds, slots) == (1, 16) else {})
    lines = [f"| | {' | '.join(found)} | aim |", f"|---|{'---|' * len(found)}---|"]
    for name in dict.fromkeys(name for runs in found.values() for figures in runs for name in figures):
        aim, sign = (LEAST_SHARES.get(seconds), "≥") if name == TRAIN else (aims.get(name), "≤")
        cells = [name]
        for who, runs in found.items():
            values = [figures[name] for figures in runs if name in figures]
            text = _spread(values)
            if who == "ours" and values and aim is not None:
                middle = statistics.median(values)
                text = judged(text, middle >= aim if name == TRAIN else middle <= aim)
            cells.append(text)
        lines.append(f"| {' | '.join([*cells, '' if aim is None else f'{sign} {aim:g}'])} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    """Median with the extremes, in four digits; one value as it is, and nothing of none."""
    if len(values) < 2:
        return "".join(f"{value:.4g}" for value in values)
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


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
        time.sleep(0.1)


if __name__ == "__main__":
    main()
