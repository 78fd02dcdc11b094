"""Whether a module that optimises by hand can do with the configured optimizer; a part of ``trial/rehearsal.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytorch_lightning import LightningModule
from torch.optim import Optimizer

from raytune_nn.errors import ConfigError


def check_manual(model: LightningModule, lr_scheduler: Mapping[str, Any]) -> None:
    """Checks a module that is trained by the configured optimizer, attached to its Trainer.

    One that optimises by hand (``automatic_optimization = False``) steps its schedules itself, and unpacks as many
    optimizers as it has made. Where it makes a single one, and no schedule, any other may take its place.

    Raises:
        ConfigError: It cannot.
    """
    if model.automatic_optimization:
        return
    if lr_scheduler.get("scheduler") or lr_scheduler.get("warmup"):
        raise ConfigError(
            "a module with automatic_optimization=False steps its schedules itself, so none can be configured",
            f"{type(model).__name__}, lr_scheduler.warmup={lr_scheduler.get('warmup', 0)}, "
            f"lr_scheduler.scheduler={(lr_scheduler.get('scheduler') or {}).get('_target_')}",
            "lr_scheduler=none",
        )
    own: Any = type(model).configure_optimizers
    if own is LightningModule.configure_optimizers or _is_single(own(model)):
        return
    raise ConfigError(
        "a module with automatic_optimization=False that makes several optimizers, or a schedule, needs its own",
        f"{type(model).__name__}.configure_optimizers",
        "optimizer=from_model",
    )


def _is_single(made: Any) -> bool:
    """Whether what ``configure_optimizers`` returned is one optimizer without a schedule, in any of its forms."""
    if isinstance(made, (list, tuple)) and len(made) == 1:
        made = made[0]
    if isinstance(made, Mapping):
        made = None if "lr_scheduler" in made else made["optimizer"]
    return isinstance(made, Optimizer)
