"""The callback that turns each validation into a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from raytune_nn.config.objective import Objective, finite
from raytune_nn.trial.checkpoint import Checkpointer
from raytune_nn.trial.task import Report


class Reporter(Checkpoint):
    """Reports once a validation (once an epoch where the module has none) and stops the training when told to.

    A validation that ends an epoch is reported after the epoch's own hooks, so that the epoch's training metrics are in
    the same report. Lightning calls no callbacks that late but those that keep checkpoints, and this one does.

    Where the answer may be to pause, the report is held back until the state of the training is saved, which is when
    the next epoch begins (`raytune_nn.trial.training_state`); at the end of the training it is sent as it is.

    Args:
        send: Takes a report and answers whether the trial goes on.
        objective: A value of a metric that is not finite ends the training at once.
        may_pause: Whether the answer to a report may be to pause, by the epochs of the report before and of this one.
        epoch: Of the report before.

    Raises:
        ValueError: In the training: a validation within an epoch, where a trial may pause.
    """

    checkpointer: Checkpointer  # asked at each report whether this one is worth keeping; set once the trial is built

    def __init__(
        self,
        send: Callable[[Report], bool],
        objective: Objective,
        may_pause: Callable[[int, int], bool] | None = None,
        epoch: int = 0,
    ) -> None:
        self._send, self._objective, self._may_pause, self._last_epoch = send, objective, may_pause, epoch
        self._held: Report | None = None
        self._started = time.monotonic()
        self._validated = False  # at the end of this epoch

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        if trainer.is_last_batch:
            self._validated = True
        elif self._may_pause is not None:
            raise ValueError(
                "a trial that may pause must validate at the ends of epochs only, but did so within one: "
                "trainer.val_check_interval=1.0, or a scheduler that does not pause"
            )
        else:
            self._report(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validated or not trainer.enable_validation:
            self._validated = False
            self._report(trainer)

    def _report(self, trainer: Trainer) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        values = self._objective.values(metrics)
        report = Report(
            epoch=trainer.current_epoch + 1,
            step=trainer.global_step,
            seconds=time.monotonic() - self._started,
            metrics=metrics,
            checkpoint=self.checkpointer.keep(trainer, values),
        )
        lost = not finite(values)
        waits = self._may_pause is not None and self._may_pause(self._last_epoch, report.epoch)
        self._last_epoch = report.epoch
        if waits and not lost:
            self._held = report
        elif not self._send(report) or lost:
            _stop(trainer)

    @property
    def holds(self) -> bool:
        """Whether a report waits for the state of the training to be saved."""
        return self._held is not None

    def send_held(self, saved: bool) -> bool:
        """Sends the report that was held back, and returns whether the trial goes on."""
        report, self._held = self._held, None
        return report is None or self._send(replace(report, saved=saved))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.send_held(saved=False)


def _stop(trainer: Trainer) -> None:
    """Ends the fit after this epoch's hooks, also where the user asked for a least number of epochs or steps."""
    trainer.fit_loop.min_epochs = None
    trainer.fit_loop.epoch_loop.min_steps = None
    trainer.should_stop = True
