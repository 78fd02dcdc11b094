"""Studies whose learning rate is searched where it is too low, and where it is not: is it said to be at its bound?"""

from __future__ import annotations

import math
import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache

from doctor_kinds import FAULTS, NETWORKS
from timings import judged

from raytune_nn.report.doctor.bounds import pressed
from raytune_nn.report.doctor.history import History
from raytune_nn.space.domains import LogUniform
from raytune_nn.space.space import Space

RANGES = {"too low": (1e-6, 2e-4), "wide": (1e-5, 1.0)}
POOL, TRIALS, EPOCHS = 48, 24, 2


def table(studies: int, aim: float, most_alarms: float) -> str:
    """How many studies are said to have the rate at its bound.

    Args:
        studies: Of each network and range: random searches whose trials are drawn from one pool of trainings.
    """
    lines = [
        f"A parameter at its bound: {studies} random searches of {TRIALS} trials, drawn from {POOL} trainings each",
        "\n| network | too low a range | wide one |\n| --- | --- | --- |",
    ]
    counts: dict[str, list[int]] = {name: [] for name in RANGES}
    for network in NETWORKS:
        for name in RANGES:
            pool = _pool(network, name)
            drawn = [random.Random(number).sample(pool, TRIALS) for number in range(studies)]
            counts[name].append(sum(_said(study, name) for study in drawn))
        lines.append(f"| {network} | {' | '.join(f'{counts[name][-1]}/{studies}' for name in RANGES)} |")
    low, wide = (sum(found) / (studies * len(NETWORKS)) for found in counts.values())
    lines.append(f"| all | {judged(f'{low:.2f}', low >= aim)} | {judged(f'{wide:.2f}', wide <= most_alarms)} |")
    return "\n".join([lines[0], *lines[1].split("\n"), *lines[2:]])


@cache
def _domain(name: str) -> LogUniform:
    return LogUniform(*RANGES[name])


def _said(study: list[History], name: str) -> bool:
    return bool(pressed(study, Space({"optimizer.lr": _domain(name)})))


def _pool(network: str, name: str) -> list[History]:
    """Trainings with rates drawn from a range."""
    rng = random.Random(f"{network} {name}")
    rates = [_domain(name).sample(rng) for _ in range(POOL)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as workers:
        found = list(workers.map(_train, [(network, rate) for rate in rates]))
    low, high = RANGES[name]
    space = {"optimizer": {"lr": {"dist": "loguniform", "low": low, "high": high}}}
    return [
        replace(history, params={"optimizer.lr": rate}, config={**history.config, "search_space": space})
        for history, rate in zip(found, rates, strict=True)
        if math.isfinite(history.curve[-1])
    ]


def _train(job: tuple[str, float]) -> History:
    from doctor_training import train

    network, rate = job
    typed = [*FAULTS["healthy"].typed(network), f"budget.max_epochs={EPOCHS}", f"optimizer.lr={rate!r}"]
    return train(typed, seed=0)[0]
