"""Whether the trials of a study can have several workers; a part of preflight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raytune_nn.config.schema import Config, Mode
from raytune_nn.errors import ConfigError
from raytune_nn.trial.ranks import FSDP

_STRATEGIES = ("auto", "ddp", FSDP, "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
_DDP = ("pytorch_lightning.strategies.DDPStrategy", "pytorch_lightning.strategies.ddp.DDPStrategy")


def check_workers(settings: Config, trainers: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks what ``resources.workers`` asks of the rest of the configuration.

    Args:
        trainers: What each option of ``trainer`` composes to; one where none is chosen.

    Raises:
        ConfigError: The first rule that is broken.
    """
    workers = settings.resources.workers
    if workers == 1:
        _check_alone(trainers)
        return
    found = f"resources.workers={workers}"
    if settings.search is None:
        fix = "resources.workers=1" if settings.mode is Mode.lr_range else "+search=random budget.num_trials=1"
        raise ConfigError("several workers of a trial need a study: a single training has one", found, fix)
    if settings.objective.folds is not None:
        rule = "a trial that trains folds has one worker"
        raise ConfigError(rule, f"objective.folds={settings.objective.folds}, {found}", "resources.workers=1")
    for trainer in trainers.values():
        _check_trainer(trainer, found)


def _check_alone(trainers: Mapping[str, Mapping[str, Any]]) -> None:
    if any(trainer.get("strategy") == FSDP for trainer in trainers.values()):
        rule = "trainer.strategy=fsdp shards a training over its workers: there must be several"
        raise ConfigError(rule, "resources.workers=1", "resources.workers=2")


def _check_trainer(trainer: Mapping[str, Any], found: str) -> None:
    strategy = trainer.get("strategy")
    name = strategy.get("_target_") if isinstance(strategy, Mapping) else strategy
    if name not in (None, *_STRATEGIES, *_DDP):
        rule = f"several workers of a trial train by one of {', '.join(_STRATEGIES)}, or a DDPStrategy"
        raise ConfigError(rule, f"trainer.strategy={name}", "trainer.strategy=ddp")
    for key, value in (("devices", 1), ("num_nodes", 1), ("plugins", None)):
        if trainer.get(key, value) != value:
            rule = f"with several workers trainer.{key} is set by resources.workers"
            mend = f"trainer.{key}={value}" if value else f"~trainer.{key}"
            raise ConfigError(rule, f"trainer.{key}={trainer[key]}, {found}", mend)
