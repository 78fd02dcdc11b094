"""When the state of a training is saved for its own sake: every few minutes, so that little is lost with a process."""

from __future__ import annotations

import time


class SafetyCopies:
    """The clock of a trial's safety copies.

    Args:
        seconds: Of training since the last state, or since the trial began, after which one is due; None: never.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds, self._last = seconds, time.monotonic()
        self._why, self._skipped, self._told = "", "", False

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        return self._seconds is not None and time.monotonic() - self._last >= self._seconds

    @property
    def possible(self) -> bool:
        """Whether nothing speaks against them."""
        return not self._why

    def saved(self) -> None:
        """A state was written just now, be it for this or for another reason."""
        self._last = time.monotonic()

    def refuse(self, why: str) -> None:
        """There are none of this training: the trial goes on without."""
        self._why = self._why or why

    def skip(self, why: str) -> None:
        """The storage has not taken this one; there will be a next."""
        self._last, self._skipped = time.monotonic(), why

    def refusal(self) -> str:
        """Why there are none, or not this one, the first time that it is asked for; else empty."""
        told, self._told = self._told, True
        return "" if told else self._why or self._skipped
