"""Accumulation of gradients over more and more batches."""

from __future__ import annotations

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import GradientAccumulationScheduler

from raytune_nn.trial.callbacks.intervals import check_epoch_intervals


class Accumulation(GradientAccumulationScheduler):
    """Lightning's own, counted as a batch size that grows: the batches of a step times ``factor`` every ``every``
    epochs, from 1 up to ``maximum``.

    Args:
        every: Epochs at one number.
        factor: Growth, at least 2.
        maximum: Batches that make one step at most.

    Raises:
        ValueError: An argument is out of bounds, or, at the start, a learning-rate schedule counts steps.
    """

    def __init__(self, every: int, factor: int, maximum: int) -> None:
        for name, value, least in (("every", every, 1), ("factor", factor, 2), ("maximum", maximum, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number >= {least}, but got {value!r}")
        scheduling = {0: 1}
        while (count := scheduling[max(scheduling)]) < maximum:
            scheduling[max(scheduling) + every] = min(count * factor, maximum)
        super().__init__(scheduling)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_epoch_intervals("Accumulation", trainer)
