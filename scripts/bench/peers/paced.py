"""The digits by hand, at a pace: trainings that last, and whose results show every step that was lost or made twice."""

from __future__ import annotations

import time

from by_hand import HandModule


class PacedModule(HandModule):
    """An epoch takes so many seconds more, which changes none of its results.

    Args:
        seconds: Sleep after an epoch's training.
    """

    def __init__(self, width: int, dropout: float, lr: float, seconds: float) -> None:
        super().__init__(width, 1, dropout, lr)
        self.seconds = seconds

    def on_train_epoch_end(self) -> None:
        time.sleep(self.seconds)
