"""Whether trials come to where the scheduler decides: in the unit that it counts, and where a trial can pause."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import Objective
from raytune_nn.errors import ConfigError
from raytune_nn.search.asha import ASHA
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.space.space import Space

IN_EPOCHS = ("${epochs:", "${budget.max_epochs}")
INTERVAL = "trainer.val_check_interval"


def check_unit(fidelity: Fidelity, objective: Objective, scheduler: Mapping[str, Any]) -> None:
    """Checks a fidelity that is not epochs, before the scheduler is built.

    Args:
        scheduler: Its configuration, interpolations unresolved.

    Raises:
        ConfigError: A trial trains folds, or an argument of the scheduler follows from the epochs.
    """
    if fidelity.is_epochs:
        return
    if objective.folds is not None:
        raise ConfigError(
            "with objective.folds only epochs are counted from fold to fold",
            f"search.fidelity={fidelity.name}, objective.folds={objective.folds}",
            "objective.folds=null, or search.fidelity=epoch",
        )
    epochs = [key for key, value in scheduler.items() if isinstance(value, str) and value.startswith(IN_EPOCHS)]
    if epochs:
        keys = [f"search.scheduler.{key}" for key in epochs]
        raise ConfigError(
            f"with search.fidelity={fidelity.name} the scheduler counts in that unit, and so do its arguments",
            f"{', '.join(keys)} in epochs",
            " ".join(f"{key}=…" for key in keys),
        )


def check_decisions(
    scheduler: Scheduler,
    fidelity: Fidelity,
    objective: Objective,
    epochs: int,
    trainer: Mapping[str, Any],
    branches: Mapping[str, Mapping[str, Any]],
    space: Space,
) -> None:
    """Checks that a trial comes to all rungs, and can pause where it has to.

    Args:
        epochs: Of one training.
        trainer: Its configuration.
        branches: What each option of a chosen group composes to.

    Raises:
        ConfigError: A rung lies beyond the last epoch, or a trial that may pause validates within an epoch.
    """
    folds = objective.folds or 1
    steps = {*scheduler.rungs, *(scheduler.decision_steps or ())}
    if fidelity.is_epochs and max(steps, default=0) > epochs * folds:
        raise ConfigError(
            "the scheduler must decide within the epochs of a trial",
            f"it decides at {', '.join(map(str, sorted(steps)))}, and a trial has {epochs * folds} epochs",
            f"budget.max_epochs={math.ceil(max(steps) / folds)}",
        )
    if not scheduler.pauses or objective.folds is not None:  # between folds nothing is in the middle of an epoch
        return
    for interval, mend in _intervals(trainer, branches, space):
        if interval is not None and (interval != 1 or isinstance(interval, int)):  # the integer 1 is a batch
            raise ConfigError(
                "where trials pause, each must validate at the ends of epochs only",
                f"{INTERVAL}={interval}, and {type(scheduler).__name__} pauses trials",
                f"{mend}, or {_not_pausing(scheduler)}",
            )


def _intervals(
    trainer: Mapping[str, Any], branches: Mapping[str, Mapping[str, Any]], space: Space
) -> Iterator[tuple[Any, str]]:
    """All that trials may have, each with what to type instead."""
    tuned = [value for path, domain, _ in space.paths() if path == INTERVAL for value in domain.corners()]
    if tuned:
        yield from ((value, f"~search_space.{INTERVAL}") for value in tuned)
    else:
        for option in branches.get("trainer", {"": trainer}).values():
            yield option.get("val_check_interval"), f"{INTERVAL}=1.0"


def _not_pausing(scheduler: Scheduler) -> str:
    stops = "search.scheduler.promote=false"
    return stops if isinstance(scheduler, ASHA) else f"search/scheduler=asha {stops}"
