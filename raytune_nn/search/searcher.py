"""What a searcher is: it says what the next trial tries, and is told what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Searcher(ABC):
    """Suggests the parameters of trials.

    A suggestion depends on the searcher's arguments, its number and the `on_end` calls so far, and on nothing
    else: a study resumes by repeating those calls to a fresh object, which then suggests what the first would
    have.
    """

    @abstractmethod
    def suggest(self, number: int) -> dict[str, Any] | None:
        """The parameters of one trial.

        Args:
            number: How many trials were suggested before it: 0 for the first.

        Returns:
            Plain Python values by dotted path, exactly the active ones; None: exhausted, now and for every
            higher number.
        """

    def on_end(self, trial: str, params: dict[str, Any], score: float | None) -> None:  # noqa: B027  need not learn
        """Take in how a trial ended.

        Args:
            trial: The trial's id.
            params: What was suggested for it.
            score: Its value, higher is better; None where it has none (it failed or diverged).
        """
