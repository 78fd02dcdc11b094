"""Whether a study can train folds: its data can be cut into them, and its scheduler decides between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.errors import ConfigError
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.space.space import Space

KEYS = {"folds": "null", "fold": "0"}  # of the data's configuration, and what they are in a plain training


def check_folds(
    objective: Objective,
    config: Mapping[str, Any],
    branches: Mapping[str, Mapping[str, Any]],
    space: Space,
    scheduler: Scheduler,
    epochs: int,
) -> None:
    """Checks what ``objective.folds`` asks of the rest of the configuration.

    Args:
        branches: What each option of a chosen group composes to.
        epochs: Of one fold.

    Raises:
        ConfigError: The first rule that is broken.
    """
    if objective.folds is None:
        return
    for data in branches.get("data", {"": config["data"]}).values():
        _check_data(data, objective.folds)
    for path, _, _ in space.paths():
        if path in ("data.folds", "data.fold"):
            rule = f"with objective.folds each trial trains every fold, so {path} cannot be searched"
            raise ConfigError(rule, f"search_space.{path}", f"~search_space.{path}")
    _check_rungs(scheduler.rungs, epochs)


def _check_data(data: Mapping[str, Any], folds: int) -> None:
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise ConfigError(
            "objective.folds needs data that take `folds`, the number of parts, and `fold`, the part that validates",
            f"data without {' and '.join(missing)} ({data.get('_target_')})",
            " ".join(f"+data.{key}={KEYS[key]}" for key in missing),
        )
    if data["folds"] not in (None, folds):
        raise ConfigError(
            "data.folds is set by objective.folds",
            f"data.folds={data['folds']}, objective.folds={folds}",
            "data.folds=null",
        )


def _check_rungs(rungs: Sequence[int], epochs: int) -> None:
    """One report would count for every rung that it passes, and a trial would have to win all of them at once."""
    for lower, upper in pairwise(rungs):
        if math.ceil(lower / epochs) == math.ceil(upper / epochs):
            raise ConfigError(
                "with objective.folds trials report once a fold, so no two rungs may lie in the same fold",
                f"rungs at {lower} and {upper} epochs, {epochs} epochs a fold",
                f"search.scheduler.grace_period={epochs}",
            )
