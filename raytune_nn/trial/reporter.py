"""The callback that turns each validation into a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from raytune_nn.config.objective import Objective, finite
from raytune_nn.trial.checkpoint import Checkpointer
from raytune_nn.trial.pulse import Pulse
from raytune_nn.trial.ranks import ALONE, Ranks
from raytune_nn.trial.safety_copies import SafetyCopies
from raytune_nn.trial.task import Report, StudyContext
from raytune_nn.trial.wind_down import WindDown


class Reporter(Checkpoint):
    """Reports once a validation (once an epoch where the module has none) and stops the training when told to.

    A validation that ends an epoch is reported after the epoch's own hooks, so that the epoch's training metrics are in
    the same report. Lightning calls no callbacks that late but those that keep checkpoints, and this one does.

    Where the answer may be to pause, a safety copy is due or the study winds down, the report is held back until the
    state of the training is saved, which is when the next epoch begins (`raytune_nn.trial.training_state`); at the end
    of the training it is sent as it is.

    Args:
        send: Takes a report and answers whether the trial goes on.
        objective: A value of a metric that is not finite ends the training at once.
        study: Says what counts as progress, and where the answer may be to pause; None: of no report.
        ranks: The trial's workers, whose mean is reported, and whose first one looks at the clock.
        pulse: Counts batches; None: nobody asks.
        wind_down: Says whether the study winds down, and hears that the training leaves for it.

    Raises:
        ValueError: In the training: a validation within an epoch, where a trial may pause; or a counter, the study's
            fidelity, that is no whole number or falls.
    """

    checkpointer: Checkpointer  # asked at each report whether this one is worth keeping; set once the trial is built
    reached = 0  # the study's fidelity at the last report, also of an earlier piece of work

    def __init__(
        self,
        send: Callable[[Report], bool],
        objective: Objective,
        study: StudyContext | None = None,
        ranks: Ranks = ALONE,
        pulse: Pulse | None = None,
        wind_down: WindDown | None = None,
    ) -> None:
        self._wind_down = wind_down or WindDown()
        self._leaves = False  # once a state is saved
        self._send, self._objective, self._study, self._ranks = send, objective, study, ranks
        self._pulse = pulse or Pulse()
        self._may_pause = study is not None and study.pauses
        self.copies = SafetyCopies(None if study is None else study.copy_seconds)
        self._held: Report | None = None
        self.must_save = False  # the state, for the report that is held: without it the trial could not pause
        self._started = time.monotonic()
        self._validated = False  # at the end of this epoch

    def on_train_batch_end(self, *batch: Any, **more: Any) -> None:
        self._pulse.batches += 1

    def on_validation_batch_end(self, *batch: Any, **more: Any) -> None:
        self._pulse.batches += 1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        if trainer.is_last_batch:
            self._validated = True
        elif self._may_pause:
            raise ValueError(
                "a trial that may pause must validate at the ends of epochs only, but did so within one: "
                "trainer.val_check_interval=1.0, or a scheduler that does not pause"
            )
        else:
            self.copies.refuse("it validates within epochs (trainer.val_check_interval)")
            self._report(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._validated or not trainer.enable_validation:
            self._validated = False
            self._report(trainer)

    def _report(self, trainer: Trainer) -> None:
        metrics = self._ranks.mean({name: float(value) for name, value in trainer.callback_metrics.items()})
        values = self._objective.values(metrics)
        report = Report(
            epoch=trainer.current_epoch + 1,
            step=trainer.global_step,
            seconds=time.monotonic() - self._started,
            metrics=metrics,
            checkpoint=self.checkpointer.keep(trainer, values),
        )
        may_pause = self._advance(report)
        if not finite(values) or may_pause is None:
            self._send(report)
            stop_fit(trainer)
        elif self._wants_state() or may_pause:
            self._held, self.must_save = report, may_pause
        elif not self._send(replace(report, unsaved=self.copies.refusal() if self.copies.due else "")):
            stop_fit(trainer)
        elif self._leaves and not self._may_pause and self._study is not None and self._study.saves_to_leave:
            self._wind_down.left = True  # no state can be saved, however long it trains
            stop_fit(trainer)

    def _wants_state(self) -> bool:
        """Whether the state is saved at this report for the trial's own sake."""
        if self._study is None:  # of a fold
            return False
        asked = self._wind_down.asked()
        wants = self.copies.due or (asked and self._study.saves_to_leave)
        self._leaves, wanted = self._ranks.agree((asked, wants and self.copies.possible))
        return wanted

    def _advance(self, report: Report) -> bool | None:
        """Whether the answer may be to pause; None where the module did not log the study's fidelity."""
        if self._study is None:
            return False
        fidelity, earlier = self._study.fidelity, self.reached
        reached = fidelity.reached(vars(report))
        if reached is None:
            return None
        if reached < earlier:
            raise ValueError(
                f"search.fidelity={fidelity.name} must never fall, but fell from {earlier} to {reached}; "
                "a counter of the module that is not a buffer is lost where a trial pauses"
            )
        self.reached = reached
        return self._may_pause and self._study.waits(earlier, reached)

    @property
    def holds(self) -> bool:
        """Whether a report waits for the state of the training to be saved."""
        return self._held is not None

    def send_held(self, saved: bool) -> bool:
        """Sends the report that was held back before the next epoch, and returns whether that one is trained."""
        goes_on = self._send_held(saved)
        if goes_on and saved and self._leaves:
            self._wind_down.left = True
            return False
        return goes_on

    def _send_held(self, saved: bool) -> bool:
        report, self._held = self._held, None
        if saved:
            self.copies.saved()
        unsaved = "" if saved else self.copies.refusal()
        rung = self.reached if saved and self.must_save else None
        return report is None or self._send(replace(report, saved=saved, rung=rung, unsaved=unsaved))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._send_held(saved=False)


def stop_fit(trainer: Trainer) -> None:
    """Ends the fit after this epoch's hooks, also where the user asked for a least number of epochs or steps.

    Within an epoch it ends after this batch, with a validation.
    """
    trainer.fit_loop.min_epochs = None
    trainer.fit_loop.epoch_loop.min_steps = None
    trainer.should_stop = True
