"""How long a study has found nothing better: trials since the best value, or the Pareto front, last improved."""

from __future__ import annotations

from raytune_nn.config.objective import Objective, Values


class Stagnation:
    """Counts trials that ended or paused; each once, however often it pauses, since most that pause never go on.

    Nothing is counted before a first trial has a value: without one there would be no winner. A trial that failed says
    nothing of the search, and one that diverged is no improvement.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._best: list[Values] = []  # the front of all values seen
        self._since = set[str]()

    @property
    def trials(self) -> int:
        """In a row without an improvement."""
        return len(self._since)

    def left(self, trial: str, values: Values | None) -> None:
        """A trial gave its slot up.

        Args:
            values: Its value by each metric; None where it has none.
        """
        if values is not None and self._objective.joins(values, self._best):
            kept = [others for others in self._best if not self._objective.dominates(values, others)]
            self._best = [*kept, values] if self._objective.further else [values]
            self._since.clear()
        elif self._best:
            self._since.add(trial)
