"""What optimizers and schedules were built with, and what becomes of it when other values are to go on with a state.

A state that is loaded brings the values it was trained with. Where a trial goes on with others, those that changed are
put back in their place: what counts is the difference between what was built then and now, whatever its name.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from pytorch_lightning import Trainer
from torch.optim.lr_scheduler import LRScheduler

_PROGRESS = ("last_epoch", "_step_count", "_last_lr")  # of a schedule


def built_hyperparameters(trainer: Trainer) -> dict[str, Any]:
    """Plain values of each optimizer's groups and each schedule, as they are now."""
    return {
        "groups": [_plain(group) for group in _groups(trainer)],
        "schedules": [_plain(vars(schedule)) for schedule in _schedules(trainer)],
    }


def apply_changes(trainer: Trainer, then: dict[str, Any], now: dict[str, Any]) -> None:
    """Gives optimizers and schedules, into which a state was loaded, the values that differ from those it came with.

    A learning rate keeps its place in the schedule: it changes in the ratio of the rates that were built.

    Args:
        then: What was built where the state was saved.
        now: What was built here.
    """
    for group, before, after in zip(_groups(trainer), then["groups"], now["groups"], strict=True):
        for key in _changed(before, after):
            if key != "lr":
                group[key] = after[key]
        old, new = (built.get("initial_lr", built["lr"]) for built in (before, after))
        if old != new:
            group["lr"] = group["lr"] * (new / old) if old else new
    for schedule, before, after in zip(_schedules(trainer), then["schedules"], now["schedules"], strict=True):
        for key in _changed(before, after):
            if key not in _PROGRESS:
                setattr(schedule, key, after[key])


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [key for key in after if key not in before or before[key] != after[key]]


def _groups(trainer: Trainer) -> Iterator[dict[str, Any]]:
    for optimizer in trainer.optimizers:
        yield from optimizer.param_groups


def _schedules(trainer: Trainer) -> Iterator[LRScheduler]:
    for config in trainer.lr_scheduler_configs:
        yield from _nested(config.scheduler)


def _nested(schedule: Any) -> Iterator[LRScheduler]:
    """A schedule and those that it is made of."""
    yield schedule
    for value in vars(schedule).values():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(item, LRScheduler):
                yield from _nested(item)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) for key, value in values.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):  # milestones are one
        return all(_is_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _copy(value: Any) -> Any:
    return copy.copy(value) if isinstance(value, (list, dict)) else value
