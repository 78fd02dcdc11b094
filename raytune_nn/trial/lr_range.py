"""The learning-rate range test: one short training whose rate rises until the loss diverges (Smith 2017, "Cyclical
Learning Rates for Training Neural Networks", section 3.3), and what its curve says."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from raytune_nn.trial.build import build_trial
from raytune_nn.trial.fit import quieten
from raytune_nn.trial.instantiate import locate, setting
from raytune_nn.trial.isolation import Isolation

DIVERGED = 4.0  # times the least smoothed loss
MEMORY = 0.9  # of the moving mean that says whether it diverged
LEAST_DROP = 0.05  # of the loss at the beginning; a curve that falls less is flat
BEGUN = 0.1  # of the whole drop: from here on the loss falls
WATCHERS = (
    "pytorch_lightning.callbacks.Checkpoint",
    "pytorch_lightning.callbacks.EarlyStopping",
    "pytorch_lightning.callbacks.LearningRateMonitor",
    "pytorch_lightning.callbacks.StochasticWeightAveraging",
    "raytune_nn.trial.callbacks.StochasticWeightAveraging",
)


@dataclass
class Sweep:
    """One point for each optimizer step, ascending rates."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    diverged: bool = False  # else the rate reached its end


@dataclass(frozen=True)
class LrRange:
    """The rates between which the loss falls."""

    low: float
    high: float
    widened: bool  # to one decade: it falls within less
    open_end: bool  # it is least near the highest rate, and has not diverged there


def sweep_rates(
    config: Mapping[str, Any],
    isolation: Isolation,
    rates: Sequence[float],
    heard: Callable[[float, float], None] = lambda rate, loss: None,
) -> Sweep:
    """Trains one optimizer step at each rate, until the loss diverges; where the batches run out, epochs repeat.

    Schedule, validation, and callbacks that watch a whole training (checkpoints, early stopping, monitors, averaged
    weights) are left out; callbacks that act on batches or gradients stay.

    Args:
        config: A trial's configuration with an optimizer; interpolations are not resolved.
        isolation: Restored first, as before a trial.
        rates: Ascending.
        heard: Called after each step with its rate and loss.

    Raises:
        ValueError: The module returns no loss, or the first one is not finite.
        Exception: Whatever the user's code raises.
    """
    isolation.restore(int(setting(config, "seed")))
    quieten(int(setting(config, "verbose")))
    endless = {"max_epochs": -1, "max_steps": len(rates), "min_epochs": None, "min_steps": None, "max_time": None}
    callbacks = {
        name: node for name, node in config["callbacks"].items() if node is not None and not _watches(node["_target_"])
    }
    ramp = _Ramp(rates, heard)
    built = build_trial(
        {
            **config,
            "trainer": {**config["trainer"], **endless, "limit_val_batches": 0},
            "lr_scheduler": {"scheduler": None},
            "callbacks": callbacks,
        },
        callbacks=[ramp],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    built.trainer.fit(built.model, datamodule=built.data)
    return ramp.sweep


def _watches(target: str) -> bool:
    callback: Any = locate(target)
    watchers: Any = tuple(locate(name) for name in WATCHERS)
    return isinstance(callback, type) and issubclass(callback, watchers)


class _Ramp(Callback):
    """Sets the rate of each optimizer step and notes its loss."""

    def __init__(self, rates: Sequence[float], heard: Callable[[float, float], None]) -> None:
        self.sweep = Sweep()
        self._rates, self._heard = rates, heard
        self._scales: list[float] = []  # of the groups of parameters, the largest 1
        self._batches: list[float] = []  # losses of this step
        self._mean, self._least = 0.0, math.inf

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        own = [float(group["lr"]) for group in trainer.optimizers[0].param_groups]
        self._scales = [rate / max(own) for rate in own]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        rate = self._rates[len(self.sweep.rates)]
        for group, scale in zip(trainer.optimizers[0].param_groups, self._scales, strict=True):
            group["lr"] = rate * scale

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is None:
            raise ValueError("training_step must return the loss, or a mapping with `loss`; it returned none")
        self._batches.append(float(loss) * trainer.accumulate_grad_batches)  # Lightning divided it
        if trainer.global_step == len(self.sweep.rates):
            return  # the step is still to come
        self._note(statistics.fmean(self._batches))
        self._batches = []
        trainer.should_stop = self.sweep.diverged

    def _note(self, loss: float) -> None:
        step = len(self.sweep.rates)
        if not math.isfinite(loss):
            if step == 0:
                raise ValueError(f"the loss must be finite before the first step, but is {loss}")
            self.sweep.diverged = True
            return
        rate = self._rates[step]
        self.sweep.rates.append(rate)
        self.sweep.losses.append(loss)
        self._heard(rate, loss)
        self._mean = MEMORY * self._mean + (1 - MEMORY) * loss
        mean = self._mean / (1 - MEMORY ** (step + 1))
        self._least = min(self._least, mean)
        # For a loss below zero four times the least would be less still. And what is below its beginning has not
        # diverged, however small the least was.
        limit = self._least + (DIVERGED - 1) * abs(self._least)
        self.sweep.diverged = mean > max(limit, self.sweep.losses[0])


def exponential_rates(low: float, high: float, steps: int) -> list[float]:
    """Rates from low to high, each the same factor above the one before."""
    return [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]


def smooth(losses: Sequence[float]) -> list[float]:
    """The mean over a fortieth of the curve to either side, less where it ends: it does not lag behind."""
    reach, last = max(1, len(losses) // 40), len(losses) - 1
    reaches = [min(reach, index, last - index) for index in range(len(losses))]
    return [statistics.fmean(losses[i - reach : i + reach + 1]) for i, reach in enumerate(reaches)]


def choose_range(sweep: Sweep) -> LrRange:
    """The rates worth a search: from where the smoothed loss begins to fall to where it is least, at least a decade.

    The fall has begun after the last point that has less than a tenth of the whole drop behind it. What the loss was
    before is the median of its first tenth.

    Raises:
        ValueError: The loss falls by less than a twentieth, or by less than it varies at the beginning, or in the
            first tenth only.
    """
    smoothed = smooth(sweep.losses)
    tenth = max(3, len(smoothed) // 10)
    before = statistics.median(smoothed[:tenth])
    noise = statistics.pstdev(sweep.losses[:tenth])
    least = min(range(len(smoothed)), key=smoothed.__getitem__)
    drop = before - smoothed[least]
    if least < tenth or drop <= max(LEAST_DROP * abs(before), noise):
        raise ValueError(
            f"the loss must fall between the rates, but went from {before:.4g} to {smoothed[least]:.4g} at best"
        )
    begun = max((i for i in range(least) if smoothed[i] > before - BEGUN * drop), default=-1) + 1
    high = sweep.rates[least]
    low = min(sweep.rates[begun], high / 10)
    open_end = not sweep.diverged and least >= len(smoothed) - tenth
    return LrRange(_rounded(low), _rounded(high), low < sweep.rates[begun], open_end)


def _rounded(rate: float) -> float:
    return float(f"{rate:.1e}")
