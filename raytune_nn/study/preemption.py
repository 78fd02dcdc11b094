"""Which trials may begin again at no cost since their nodes were lost.

Preemption is no fault of a trial, however often it comes. A trial that brings its nodes down itself, say by their
memory, would go on for ever: it is one that never reports between two losses.
"""

from __future__ import annotations

from collections import Counter

FREE = 5  # losses of a trial in a row, without a report between them, that cost no retry


class Preemption:
    """Counts losses of nodes by trial; a driver's own, so the next one begins anew."""

    def __init__(self) -> None:
        self._losses = Counter[str]()

    def reported(self, trial: str) -> None:
        """The trial got on."""
        self._losses.pop(trial, None)

    def is_free(self, trial: str) -> bool:
        """Whether the loss that the trial has just had is to cost no retry."""
        self._losses[trial] += 1
        return self._losses[trial] <= FREE
