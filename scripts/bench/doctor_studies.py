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

from raytune_nn.report.doctor.diagnose import diagnose_study
from raytune_nn.report.doctor.history import History
from raytune_nn.space.domains import LogUniform
from raytune_nn.space.space import Space

HEALTHY = {"MLP": 3e-3, "CNN": 3e-3, "LSTM": 1e-2}  # rates
RANGES = {"too low": (1 / 3000, 1 / 15), "wide": (1 / 300, 300.0)}  # in units of the healthy one
POOL, TRIALS, EPOCHS = 48, 24, 4


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
            counts[name].append(sum(bool(diagnose_study(study, _space(network, name)).study) for study in drawn))
        lines.append(f"| {network} | {' | '.join(f'{counts[name][-1]}/{studies}' for name in RANGES)} |")
    low, wide = (sum(found) / (studies * len(NETWORKS)) for found in counts.values())
    lines.append(f"| all | {judged(f'{low:.2f}', low >= aim)} | {judged(f'{wide:.2f}', wide <= most_alarms)} |")
    return "\n".join([lines[0], *lines[1].split("\n"), *lines[2:]])


@cache
def _space(network: str, name: str) -> Space:
    low, high = (HEALTHY[network] * factor for factor in RANGES[name])
    return Space({"optimizer.lr": LogUniform(low, high)})


def _pool(network: str, name: str) -> list[History]:
    """Trainings with rates drawn from a range."""
    rng = random.Random(f"{network} {name}")
    space = _space(network, name)
    rates = [space.sample(rng)["optimizer.lr"] for _ in range(POOL)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as workers:
        found = list(workers.map(_train, [(network, rate) for rate in rates]))
    typed = space.to_mapping()
    return [
        replace(history, id=str(n), params={"optimizer.lr": rate}, config={**history.config, "search_space": typed})
        for n, (history, rate) in enumerate(zip(found, rates, strict=True))
        if math.isfinite(history.curve[-1])
    ]


def _train(job: tuple[str, float]) -> History:
    from doctor_training import train

    network, rate = job
    typed = [*FAULTS["healthy"].typed(network), f"budget.max_epochs={EPOCHS}", f"optimizer.lr={rate!r}"]
    return train(typed, seed=0)[0]
