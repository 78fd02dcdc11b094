"""What the doctor's probes cost: one training a network, with them in every second epoch.

The machine swings by far more than they take from one training to the next, but less so between epochs that follow each
other.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from doctor_kinds import FAULTS, NETWORKS
from pytorch_lightning import Callback, LightningModule, Trainer
from timings import judged, spread

from raytune_nn.trial.callbacks.probes import Probes

MOST = 1.03
FIRST = 4  # epochs, which pay what comes once
DRAWN = 2000


class EverySecondEpoch(Callback):
    """Takes the probes out of an epoch and puts them back in the next, and times both, with validation and report."""

    timed: ClassVar[list[tuple[bool, float]]] = []  # with them? and seconds

    def __init__(self) -> None:
        self._start = 0.0
        self._probes: list[Callback] = []
        self._metrics: dict[str, Any] = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        now = time.perf_counter()
        there: list[Callback] = [one for one in trainer.callbacks if isinstance(one, Probes)]  # type: ignore[attr-defined]
        if self._start:
            self.timed.append((bool(there), now - self._start))
        if there:
            self._probes = there
            trainer.callbacks = [one for one in trainer.callbacks if one not in there]  # type: ignore[attr-defined]
            names = [name for name in trainer.callback_metrics if name.startswith("probe/")]
            self._metrics = {name: trainer.callback_metrics.pop(name) for name in names}
        else:
            trainer.callbacks = [*self._probes, *trainer.callbacks]  # type: ignore[attr-defined]
            trainer.callback_metrics.update(self._metrics)
        self._start = time.perf_counter()


def table(epochs: int) -> str:
    """What an epoch with probes takes over the one before it without."""
    from doctor_training import train

    rows = [
        f"| network | ms an epoch without | with | ratio, median, 95% interval (≤ {MOST}) |",
        "| --- | --- | --- | --- |",
    ]
    for network in NETWORKS:
        EverySecondEpoch.timed.clear()
        every_second = "+callbacks.every_second={_target_: doctor_cost.EverySecondEpoch}"
        train([*FAULTS["healthy"].typed(network), every_second, f"budget.max_epochs={epochs + FIRST}"], seed=0)
        timed = EverySecondEpoch.timed[FIRST:]
        on, off = ([1000 * seconds for there, seconds in timed if there is wanted] for wanted in (True, False))
        ratios = [a / b for a, b in zip(on, off, strict=False)]
        low, middle, high = interval(ratios)
        said = judged(f"{middle:.3f} ({low:.3f} to {high:.3f})", middle <= MOST)
        rows.append(f"| {network} | {spread(off, 1)} | {spread(on, 1)} | {said} |")
    title = (
        f"What `callbacks=probes` costs: one training of {epochs} epochs, in every second of which they are, one thread"
    )
    return "\n".join([title, "", *rows])


def interval(ratios: Sequence[float]) -> tuple[float, float, float]:
    """The median with its 95% interval, by the bootstrap (Efron & Tibshirani 1993, section 13.3)."""
    rng = random.Random(0)
    drawn = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(DRAWN))
    return drawn[round(0.025 * DRAWN)], statistics.median(ratios), drawn[round(0.975 * DRAWN)]
