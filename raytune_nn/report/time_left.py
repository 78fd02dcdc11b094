"""How long a study will still take, estimated from what it has done; nothing where that says too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import ENDED

LEAST_TRIALS, LEAST_EPOCHS = 3, 3  # before anything is said


@dataclass(frozen=True)
class Extent:
    """How much a study is to train at most.

    Args:
        trials: In all.
        epochs: Of a whole trial.
        shortens: Whether its scheduler may end trials before that.
        max_hours: Of the whole study; None: no limit.
        max_total_epochs: Of all trials together; None: no limit.
    """

    trials: int
    epochs: int
    shortens: bool = False
    max_hours: float | None = None
    max_total_epochs: int | None = None


def seconds_left(record: StudyRecord, extent: Extent, running: Sequence[int], ended: int) -> float | None:
    """The epochs that are still to be trained, at the mean time of an epoch, in as many slots as are at work.

    Where trials are cut short, those that ended or paused say how many epochs one takes; else it is a whole training.
    The last trials leave slots empty, so it is a little too low near the end.

    Args:
        running: Epochs of each trial that runs.
        ended: Epochs of the trials that have ended, together.

    Returns:
        None before there is enough to tell.
    """
    over = sum(record.counts[state] for state in ENDED)
    out = over + record.counts["paused"]
    if record.epochs < LEAST_EPOCHS or not running:
        return None
    if not extent.shortens:
        epochs: float = (extent.trials - over) * extent.epochs - (record.epochs - ended)
    elif out < max(LEAST_TRIALS, len(running)):
        return None
    else:
        each = (record.epochs - sum(running)) / out
        to_come = extent.trials - len(record.trials)
        epochs = to_come * each + sum(max(0.0, each - trained) for trained in running)
    if extent.max_total_epochs is not None:
        epochs = min(epochs, extent.max_total_epochs - record.epochs)
    seconds = max(0.0, epochs) * record.busy_seconds / record.epochs / len(running)
    if extent.max_hours is None:
        return seconds
    return min(seconds, max(0.0, extent.max_hours * 3600 - record.wall_seconds))


def in_words(seconds: float) -> str:
    """No finer than it can be known: ``40 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    tens = minutes % 60 // 10 * 10
    return f"{minutes // 60} h" + (f" {tens} min" if tens else "")
