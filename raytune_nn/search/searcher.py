"""What a searcher is: it says what the next trial tries, and is told what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

Score = float | tuple[float, ...]  # higher is better; one number an objective where there are several


class Searcher(ABC):
    """Suggests the parameters of trials.

    A suggestion depends on the searcher's arguments and the calls before it, and on nothing else: a study
    resumes by repeating those calls in their order to a fresh object, which then suggests what the first would
    have.

    Attributes:
        learns: Whether suggestions depend on what it is told of other trials.
    """

    learns: bool = True

    @abstractmethod
    def suggest(self, number: int) -> dict[str, Any] | None:
        """The parameters of one trial.

        Args:
            number: How many trials were suggested before it: 0 for the first.

        Returns:
            Plain Python values by dotted path, exactly the active ones; None: exhausted, now and for every
            higher number.
        """

    def replay(self, number: int, params: dict[str, Any]) -> None:
        """Take in that suggestion ``number`` was ``params``: a resumed study may call this in place of ``suggest``.

        A searcher with a slow model overrides it, so that a resume need not compute all over again what the
        journal has.
        """
        self.suggest(number)

    def on_report(self, trial: str, step: int, score: float) -> None:  # noqa: B027  few learn from trials that run
        """Take in one report.

        Args:
            trial: The trial's id; it may be one that was never suggested here, as in ``on_end``.
            step: Epochs trained so far, from 1.
            score: The objective at this step, the first of several; higher is better.
        """

    def on_pause(self, trial: str, params: dict[str, Any]) -> None:  # noqa: B027  need not learn of it
        """Take in that a trial gave its slot up after its last report; it may go on later, or end as it stands.

        Args:
            trial: The trial's id.
            params: What it tried.
        """

    def on_end(self, trial: str, params: dict[str, Any], score: Score | None, state: str) -> None:  # noqa: B027
        """Take in how a trial ended.

        Args:
            trial: The trial's id.
            params: What it tried: what was suggested for it, or another point of the space, which a user or an
                earlier study wanted.
            score: Its value, higher is better; None where it has none (it failed or diverged).
            state: ``complete``, ``stopped`` (by the scheduler), ``diverged`` or ``failed``.
        """
