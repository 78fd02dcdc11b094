"""The learning rate as a scalar."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from raytune_nn.trial.callbacks.scalars import is_due, log_scalars


class LearningRate(Callback):
    """Logs ``learning_rate`` at the first batch of each epoch and as often as Lightning logs steps.

    Of several groups of parameters it is the highest; several optimizers have one each (``learning_rate/0``, …).
    """

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if batch_idx and not is_due(trainer):
            return
        rates = [max(float(group["lr"]) for group in optimizer.param_groups) for optimizer in trainer.optimizers]
        names = ["learning_rate"] if len(rates) == 1 else [f"learning_rate/{place}" for place in range(len(rates))]
        log_scalars(trainer, dict(zip(names, rates, strict=True)))
