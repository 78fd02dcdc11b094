"""Whether mode=confirm says who really won: coverage of its intervals, false alarms of its tests, and its choice.

    .venv/bin/python scripts/bench/confirm.py [--samples 10000] [--studies 2000] [--configurations 48] [--trainings 22]
        [--epochs 10] [--processes 2]

Three Markdown tables. The first two are of numbers drawn at random, where the truth is known: how often the 95%
interval holds the mean, and how often a configuration is told from the best where all are the same (a false alarm), or
where the best is better by that many standard deviations of a training. The third is of real trainings: MLPs from the
default space on the digits, each configuration with as many seeds. Studies of 16 of them are drawn from these, with one
seed for the search and others for the confirmation; the truth is the mean test accuracy over the seeds that are left.
Regret is by how much the chosen configuration's truth is below that of the best of the 16.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from timings import REPOSITORY

from raytune_nn.space.parse import parse_space
from raytune_nn.study.comparison import Measured, compare, interval, paired_p

CONFIDENCE, TOP, TRIALS = 0.95, 5, 16
SEEDS = (3, 5, 10)
TEST_ROWS = 360  # of the digits
OVERLAP = 0.25  # test rows over training rows of a split that is drawn anew for each seed

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]  # so many trainings


class Noise(NamedTuple):
    """Of a training's value."""

    name: str
    mean: float
    draw: Draw


def _failing(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    values = rng.normal(0.95, 0.01, count)
    values[rng.random(count) < 0.1] = 0.1
    return values


NOISES = [
    Noise("normal", 0.0, lambda rng, count: rng.normal(size=count)),
    Noise(f"accuracy 0.95 on {TEST_ROWS} rows", 0.95, lambda rng, n: rng.binomial(TEST_ROWS, 0.95, n) / TEST_ROWS),
    Noise("heavy tails (t, 3 degrees)", 0.0, lambda rng, count: rng.standard_t(3, count)),
    Noise("uniform", 0.5, lambda rng, count: rng.random(count)),
    Noise("skewed (exponential)", 1.0, lambda rng, count: rng.exponential(size=count)),
    Noise("one training in ten at chance", 0.95 * 0.9 + 0.1 * 0.1, _failing),
]


class Bank(NamedTuple):
    """Real trainings of configurations."""

    parameters: NDArray[np.int64]  # shape (configurations,)
    val: NDArray[np.float64]  # accuracy, shape (configurations, seeds)
    test: NDArray[np.float64]  # of the same epoch


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    for name, default in (("samples", 10_000), ("studies", 2000), ("configurations", 48), ("trainings", 22)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("epochs", 10), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    print("Share of 95% intervals that hold the mean:\n")
    print(coverage_table(options.samples))
    print("\nStudies in which a test tells a configuration from the best, at the level of 5%:\n")
    print(alarm_table(options.studies))
    bank = train_bank(options.configurations, options.trainings, options.epochs, options.processes)
    print(f"\nRegret of the choice in accuracy points, mean of {options.studies:,} studies of {TRIALS} trials")
    print(
        f"(from {bank.test.size:,} trainings of {options.epochs} epochs; in brackets what a tenth of them exceeds):\n"
    )
    print(regret_table(bank, options.studies))


def coverage_table(samples: int) -> str:
    """How often the interval holds the mean, by noise and number of seeds."""
    lines = [_row("noise", *(f"{count} seeds" for count in SEEDS)), _row("---", *["---"] * len(SEEDS))]
    for noise in NOISES:
        lines.append(_row(noise.name, *(f"{coverage(noise, count, samples):.1%}" for count in SEEDS)))
    return "\n".join(lines)


def coverage(noise: Noise, count: int, samples: int) -> float:
    """Share of the intervals of so many trainings that hold the mean."""
    rng, held = np.random.default_rng(count), 0
    for _ in range(samples):
        low, high = interval(noise.draw(rng, count), CONFIDENCE)
        held += low <= noise.mean <= high
    return held / samples


def alarm_table(studies: int) -> str:
    """False alarms among equal configurations, and how often a difference is seen."""
    lines = [_row("", *(f"{count} seeds" for count in SEEDS)), _row("---", *["---"] * len(SEEDS))]
    for configurations in (2, 5, 10):
        row = [f"{alarms(configurations, count, studies, 0.0):.1%}" for count in SEEDS]
        lines.append(_row(f"{configurations} equal configurations: false alarms", *row))
    for better in (1.0, 2.0, 4.0):
        row = [f"{alarms(5, count, studies, better):.1%}" for count in SEEDS]
        lines.append(_row(f"1 of 5 better by {better:g}: a worse one is told from it", *row))
    for overlap, name in ((0.0, "plain"), (OVERLAP, "corrected (Nadeau and Bengio)")):
        row = [f"{resampled_alarms(count, studies, overlap):.1%}" for count in SEEDS]
        lines.append(_row(f"2 equal, the data cut anew by each seed, {name}: false alarms", *row))
    return "\n".join(lines)


def alarms(configurations: int, count: int, studies: int, better: float) -> float:
    """Share of the studies in which a configuration is told from the best; the first is better by so much."""
    rng, told = np.random.default_rng(configurations * 100 + count), 0
    for _ in range(studies):
        values = rng.normal(size=(configurations, count))
        values[0] += better
        compared = compare(_measured(values, [1] * configurations), CONFIDENCE, maximise=True)
        told += len(compared.tied) < configurations
    return told / studies


def resampled_alarms(count: int, studies: int, overlap: float) -> float:
    """The same of two equal ones whose trainings share rows.

    Their differences correlate by the share of the rows that is tested, as Nadeau and Bengio (2003) assume.
    """
    rng, told = np.random.default_rng(count), 0
    shared = OVERLAP / (1 + OVERLAP)
    for _ in range(studies):
        differences = np.sqrt(shared) * rng.normal() + np.sqrt(1 - shared) * rng.normal(size=count)
        told += paired_p(list(differences), [0.0] * count, overlap) < 1 - CONFIDENCE
    return told / studies


def regret_table(bank: Bank, studies: int) -> str:
    """What each way to choose loses, by the number of seeds of the confirmation."""
    chosen: dict[str, list[list[float]]] = {}
    for place, count in enumerate(SEEDS):
        rng = np.random.default_rng(0)  # the same studies in each column
        for _ in range(studies):
            for way, regret in regrets(bank, count, rng).items():
                chosen.setdefault(way, [[] for _ in SEEDS])[place].append(100 * regret)
    lines = [_row("chosen", *(f"{count} seeds" for count in SEEDS)), _row("---", *["---"] * len(SEEDS))]
    for way, columns in chosen.items():
        lines.append(_row(way, *(f"{np.mean(column):.2f} ({np.quantile(column, 0.9):.2f})" for column in columns)))
    return "\n".join(lines)


def regrets(bank: Bank, count: int, rng: np.random.Generator) -> dict[str, float]:
    """One study: the regret of each way to choose."""
    members = rng.choice(len(bank.val), TRIALS, replace=False)
    first, *others = rng.permutation(bank.val.shape[1])
    used, left = others[:count], others[count:]
    truth = bank.test[members][:, left].mean(axis=1)
    val = bank.val[members]
    ranked = np.argsort(-val[:, first], kind="stable")[:TOP]
    values, parameters = bank.test[members[ranked]][:, used], bank.parameters[members[ranked]]
    compared = compare(_measured(values, parameters.tolist()), CONFIDENCE, maximise=True)
    simplest = min(map(int, compared.tied), key=lambda index: int(parameters[index]))
    ways = {
        "the best validation value of the study": 0,
        "the best mean validation value over the seeds": int(val[ranked][:, used].mean(axis=1).argmax()),
        "the best mean of mode=confirm": int(compared.best),
        "**recommended by mode=confirm**": int(compared.recommended),
        "the simplest of the tied set": simplest,
    }
    return {way: float(truth.max() - truth[ranked[index]]) for way, index in ways.items()}


def train_bank(configurations: int, trainings: int, epochs: int, processes: int) -> Bank:
    """Trains each configuration with each seed."""
    space = parse_space(yaml.safe_load((REPOSITORY / "conf" / "search_space" / "mlp.yaml").read_text()))
    rng = random.Random(0)
    points = [{path: domain.sample(rng) for path, domain in space.active({}).items()} for _ in range(configurations)]
    jobs = list(itertools.product(points, range(trainings)))
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        found = list(pool.map(partial(_train, epochs=epochs), *zip(*jobs, strict=True), chunksize=trainings))
    shape = (configurations, trainings)
    sizes, val, test = (np.array(column).reshape(shape) for column in zip(*found, strict=True))
    return Bank(sizes[:, 0], val, test)


def _train(point: dict[str, Any], seed: int, epochs: int) -> tuple[int, float, float]:
    """One training; parameters, the best validation accuracy, and the test accuracy of that epoch."""
    import torch
    from torch.nn.functional import cross_entropy

    from raytune_nn.data import DigitsDataModule
    from raytune_nn.nn import MLP

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data = DigitsDataModule(batch_size=point["data.batch_size"])
    data.setup()
    keys = ("depth", "width", "dropout", "activation")
    model = MLP(64, 10, **{key: point[f"model.net.{key}"] for key in keys})
    optimizer = torch.optim.AdamW(model.parameters(), lr=point["optimizer.lr"])
    val, test = -1.0, 0.0
    for _ in range(epochs):
        model.train()
        for x, y in data.train_dataloader():
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        model.eval()
        now = _accuracy(model, data.val_dataloader())
        if now > val:
            val, test = now, _accuracy(model, data.test_dataloader())
    return sum(each.numel() for each in model.parameters()), val, test


def _accuracy(model: Any, loader: Any) -> float:
    import torch

    with torch.no_grad():
        hits = torch.cat([model(x).argmax(1) == y for x, y in loader])
    return float(hits.float().mean())


def _measured(values: NDArray[np.float64], parameters: list[int]) -> list[Measured]:
    return [
        Measured(str(place), tuple(map(float, row)), size, 1.0, 1.0)
        for place, (row, size) in enumerate(zip(values, parameters, strict=True))
    ]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
