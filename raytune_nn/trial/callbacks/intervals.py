"""What callbacks that change the number of steps of an epoch share."""

from __future__ import annotations

from pytorch_lightning import Trainer


def check_epoch_intervals(name: str, trainer: Trainer) -> None:
    """Checks that no learning-rate schedule counts steps: Lightning estimates their number from the first epoch's.

    Args:
        name: Who asks, for the message.

    Raises:
        ValueError: One of them does.
    """
    for schedule in trainer.lr_scheduler_configs:
        if schedule.interval == "step":
            raise ValueError(
                f"{name} changes the number of steps of an epoch, on which a schedule by steps "
                f"({type(schedule.scheduler).__name__}) is built: lr_scheduler.interval=epoch"
            )
