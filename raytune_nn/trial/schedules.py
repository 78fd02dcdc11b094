"""From `lr_scheduler` to a schedule that knows how long the training is, with a warm-up in front of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, ReduceLROnPlateau

from raytune_nn.config.from_trainer import FROM_TRAINER
from raytune_nn.trial.instantiate import instantiate

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer

OURS = ("warmup", "warmup_start")  # keys of `lr_scheduler` that Lightning does not know
WARMUP_START = 0.1


def build_schedule(
    model: LightningModule, optimizer: Optimizer, lr_scheduler: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Lightning's scheduler dictionary; None where the rate is constant from the first step on.

    Args:
        model: Attached to its Trainer where the schedule asks for its length.
        lr_scheduler: Lightning's keys with a target node under ``scheduler``, or null there; ``warmup`` (in
            epochs or optimizer steps, as ``interval`` says) and ``warmup_start`` (a factor).

    Raises:
        ValueError: The warm-up is as long as the training, no step of the schedule falls into it, or the length
            cannot be known.
    """
    node, frequency = lr_scheduler.get("scheduler"), lr_scheduler.get("frequency", 1)
    warmup = math.ceil(lr_scheduler.get("warmup", 0) / frequency)
    if not node and not warmup:
        return None

    def value(name: str, share: Any) -> Any:
        if name == "lr":
            rates = [group["lr"] for group in optimizer.param_groups]
            return rates if len(rates) > 1 else rates[0]
        steps = scheduler_steps(model.trainer, lr_scheduler.get("interval", "epoch"), frequency) - warmup
        if steps + warmup == 0:
            raise ValueError(
                f"lr_scheduler.frequency must not be more than the {model.trainer.max_epochs} epochs of the training, "
                f"but is {frequency}"
            )
        if steps < 1:
            raise ValueError(
                f"lr_scheduler.warmup must be shorter than the training, but the schedule has {steps + warmup} steps, "
                f"and {warmup} of them are its warm-up"
            )
        return [_part(each, steps) for each in share] if isinstance(share, list) else _part(share, steps)

    schedule: Any = instantiate(_filled(node, value), optimizer=optimizer) if node else ConstantLR(optimizer, 1.0)
    lightnings = {key: item for key, item in lr_scheduler.items() if key not in OURS}
    if warmup:
        lightnings["reduce_on_plateau"] = isinstance(schedule, ReduceLROnPlateau)
        schedule = WarmUp(schedule, warmup, lr_scheduler.get("warmup_start", WARMUP_START))
    return {**lightnings, "scheduler": schedule}


def scheduler_steps(trainer: Trainer, interval: str, frequency: int = 1) -> int:
    """How often Lightning steps a schedule in the whole training.

    Raises:
        ValueError: The schedule counts optimizer steps, and the data do not know how many batches they have.
    """
    if interval == "epoch":
        return (trainer.max_epochs or 0) // frequency
    steps = trainer.estimated_stepping_batches
    if not 0 < steps < math.inf:
        raise ValueError(
            "lr_scheduler.interval=step needs training data of known length (a loader with len()), or trainer.max_steps"
        )
    return int(steps)


def _part(share: float, steps: int) -> int:
    """A share of the steps, rounded up: as many periods as the share says, and not one more that is cut short."""
    return math.ceil(round(share * steps, 6))


def _filled(node: Any, value: Callable[[str, Any], Any]) -> Any:
    """A node with numbers in place of the marks that ``${from_trainer:…}`` left."""
    if isinstance(node, Mapping):
        if FROM_TRAINER in node:
            return value(node[FROM_TRAINER], node["share"])
        return {key: _filled(item, value) for key, item in node.items()}
    return [_filled(item, value) for item in node] if isinstance(node, list) else node


class WarmUp(LRScheduler):
    """A linear rise to the first rates of a schedule, and then the schedule (Goyal et al. 2017, section 2.2).

    In step k of the warm-up each rate is ``start + (1 - start) * k / steps`` times the schedule's first. Torch's
    SequentialLR takes no ReduceLROnPlateau, and starts a schedule that has no closed form from the rates it finds.

    Args:
        schedule: Built, and not stepped yet; a ReduceLROnPlateau sees no value before the warm-up is over.
        steps: Steps of the warm-up.
        start: Factor of the first step, ``0 <= start <= 1``.

    Raises:
        ValueError: ``start`` is out of bounds.
    """

    def __init__(self, schedule: LRScheduler, steps: int, start: float) -> None:
        if not 0 <= start <= 1:
            raise ValueError(f"0 <= warmup_start <= 1 must hold, but got {start}")
        # Not the base class's own: it would take a first step of this schedule too.
        self.optimizer, self.schedule = schedule.optimizer, schedule
        self.steps, self.start, self.last_epoch = steps, start, 0
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self._rise()

    def step(self, metrics: Any = None) -> None:
        """The next rates.

        Args:
            metrics: What a ReduceLROnPlateau watches.
        """
        self.last_epoch += 1
        if self.last_epoch <= self.steps:
            self._rise()
            return
        self.schedule.step(*([] if metrics is None else [metrics]))
        self._last_lr = self.schedule.get_last_lr()

    def _rise(self) -> None:
        factor = self.start + (1 - self.start) * self.last_epoch / self.steps
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What ``load_state_dict`` of a schedule built alike needs to go on."""
        return {"last_epoch": self.last_epoch, "rates": self.rates, "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where the other one was."""
        self.last_epoch, self.rates = state_dict["last_epoch"], state_dict["rates"]
        self.schedule.load_state_dict(state_dict["schedule"])
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
