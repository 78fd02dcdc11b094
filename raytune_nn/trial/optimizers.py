"""Gives any LightningModule the configured optimizer and learning-rate schedule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any

from raytune_nn.trial.instantiate import instantiate
from raytune_nn.trial.param_groups import group_parameters
from raytune_nn.trial.schedules import build_schedule

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule
    from torch.optim import Optimizer


def set_optimizer(
    model: LightningModule,
    optimizer: Mapping[str, Any],
    lr_scheduler: Mapping[str, Any],
    param_groups: Mapping[str, Any],
) -> None:
    """Gives this instance the configured optimizer and schedule, whatever its class says.

    Args:
        model: Any LightningModule; only its ``configure_optimizers`` is replaced.
        optimizer: A target node of an Optimizer class, without ``params``.
        lr_scheduler: Lightning's scheduler dictionary with a target node under ``scheduler``, or null there, and a
            warm-up; see `raytune_nn.trial.schedules`.
        param_groups: Keywords of `raytune_nn.trial.param_groups.group_parameters`.
    """

    def configure_optimizers(self: LightningModule) -> Any:
        built = _build_optimizer(self, optimizer, param_groups)
        schedule = build_schedule(self, built, lr_scheduler)
        return built if schedule is None else {"optimizer": built, "lr_scheduler": schedule}

    model.configure_optimizers = MethodType(configure_optimizers, model)  # type: ignore[method-assign]


def _build_optimizer(model: LightningModule, node: Mapping[str, Any], param_groups: Mapping[str, Any]) -> Optimizer:
    """One list of parameters where all are treated alike: L-BFGS takes no groups, and others are fastest with one."""
    groups = group_parameters(model, **param_groups)
    if all(group.decays and group.lr_scale == 1 for group in groups):
        alike: Optimizer = instantiate(node, params=[p for p in model.parameters() if p.requires_grad])
        return alike
    spared = {True: {}, False: {"weight_decay": 0.0}}
    optimizer: Optimizer = instantiate(node, params=[{"params": g.params, **spared[g.decays]} for g in groups])
    for built, group in zip(optimizer.param_groups, groups, strict=True):
        built["lr"] *= group.lr_scale
    return optimizer
