"""Gives any LightningModule the configured optimizer and learning-rate schedule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any

from raytune_nn.trial.instantiate import instantiate

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


def set_optimizer(model: LightningModule, optimizer: Mapping[str, Any], lr_scheduler: Mapping[str, Any]) -> None:
    """Gives this instance the configured optimizer and schedule, whatever its class says.

    Args:
        model: Any LightningModule; only its ``configure_optimizers`` is replaced.
        optimizer: A target node of an Optimizer class, without ``params``.
        lr_scheduler: Lightning's scheduler dictionary with a target node under ``scheduler``, or null there.
    """

    def configure_optimizers(self: LightningModule) -> Any:
        built = instantiate(optimizer, params=[p for p in self.parameters() if p.requires_grad])
        if not lr_scheduler.get("scheduler"):
            return built
        scheduler = instantiate(lr_scheduler["scheduler"], optimizer=built)
        return {"optimizer": built, "lr_scheduler": {**lr_scheduler, "scheduler": scheduler}}

    model.configure_optimizers = MethodType(configure_optimizers, model)  # type: ignore[method-assign]
