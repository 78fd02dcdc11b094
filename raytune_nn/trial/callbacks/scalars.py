"""What callbacks that only watch share: scalars for TensorBoard and other loggers.

They are no metrics: neither the journal nor the objective has them, and ``mode=reproduce`` compares none.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytorch_lightning import Trainer


def log_scalars(trainer: Trainer, scalars: Mapping[str, float]) -> None:
    """Logs them at the step that is taken next, as Lightning's own metrics; without a logger nothing."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(scalars), step=trainer.fit_loop.epoch_loop._batches_that_stepped)


def is_due(trainer: Trainer) -> bool:
    """Whether Lightning logs what belongs to the present step: one in ``trainer.log_every_n_steps`` is."""
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every > 0 and (trainer.fit_loop.epoch_loop._batches_that_stepped + 1) % every == 0
