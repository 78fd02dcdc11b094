"""What can be trained with sharded weights (`raytune_nn.trial.fully_sharded`); a part of ``trial/rehearsal.py``."""

from __future__ import annotations

from collections.abc import Iterator

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import StochasticWeightAveraging as LightningsAveraging
from torch.optim import LBFGS

from raytune_nn.errors import ConfigError
from raytune_nn.trial.callbacks.freeze import Freeze
from raytune_nn.trial.callbacks.gradient_noise import GradientNoise
from raytune_nn.trial.callbacks.swa import StochasticWeightAveraging

_CALLBACKS = (StochasticWeightAveraging, LightningsAveraging, GradientNoise)


def check_sharding(trainer: Trainer, module: LightningModule) -> None:
    """Checks a training whose optimizers are made, sharded or not yet.

    Raises:
        ConfigError: A part of it would compute something else, or fail, where a worker has a part of each weight.
    """
    for found in _unfit(trainer, module):
        rule = "with trainer.strategy=fsdp a worker holds a part of each weight, which not everything can do with"
        raise ConfigError(rule, found, "trainer.strategy=ddp")


def _unfit(trainer: Trainer, module: LightningModule) -> Iterator[str]:
    if not module.automatic_optimization:
        yield f"{type(module).__name__} with automatic_optimization=False"
    yield from (
        f"{name}, a weight without a dimension" for name, weight in module.named_parameters() if not weight.dim()
    )
    if any(isinstance(optimizer, LBFGS) for optimizer in trainer.optimizers):
        yield "LBFGS, which multiplies whole gradients"
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, _CALLBACKS):
            yield type(callback).__name__
        if isinstance(callback, Freeze) and callback.unfreezes:
            yield "Freeze with unfreeze_epoch"
    if trainer.precision == "16-mixed":  # each worker would scale its gradients by itself
        yield "trainer.precision=16-mixed"
