"""The callback that turns each validation into a report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from raytune_nn.config.objective import Objective
from raytune_nn.trial.checkpoint import Checkpointer
from raytune_nn.trial.task import Report


class Reporter(Checkpoint):
    """Reports once a validation (once an epoch where the module has none) and stops the training when told to.

    A validation that ends an epoch is reported after the epoch's own hooks, so that the epoch's training metrics are in
    the same report. Lightning calls no callbacks that late but those that keep checkpoints, and this one does.

    Args:
        send: Takes a report and answers whether the trial goes on.
        objective: A value of it that is not finite ends the training at once.
    """

    checkpointer: Checkpointer  # asked at each report whether this one is worth keeping; set once the trial is built

    def __init__(self, send: Callable[[Report], bool], objective: Objective) -> None:
        self._send, self._objective = send, objective
        self._started = time.monotonic()
        self._validated = False  # at the end of this epoch

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        if trainer.is_last_batch:
            self._validated = True
        else:
            self._report(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validated or not trainer.enable_validation:
            self._validated = False
            self._report(trainer)

    def _report(self, trainer: Trainer) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        value = self._objective.value(metrics)
        report = Report(
            epoch=trainer.current_epoch + 1,
            step=trainer.global_step,
            seconds=time.monotonic() - self._started,
            metrics=metrics,
            checkpoint=self.checkpointer.keep(trainer, value),
        )
        goes_on = self._send(report)
        if not goes_on or value is None or not math.isfinite(value):
            _stop(trainer)


def _stop(trainer: Trainer) -> None:
    """Ends the fit after this epoch's hooks, also where the user asked for a least number of epochs or steps."""
    trainer.fit_loop.min_epochs = None
    trainer.fit_loop.epoch_loop.min_steps = None
    trainer.should_stop = True
