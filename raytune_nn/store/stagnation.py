"""How long a study has found nothing better: trials since the best value, or the Pareto front, last improved."""

from __future__ import annotations

from dataclasses import dataclass, field

from raytune_nn.config.objective import Objective, Values


@dataclass
class Stagnation:
    """Counts trials that ended or paused; each once, however often it pauses, since most that pause never go on.

    Nothing is counted before a first trial has a value: without one there would be no winner. A trial that failed says
    nothing of the search, and one that diverged is no improvement.
    """

    _objective: Objective
    _best: list[Values] = field(default_factory=list)  # the front of all values seen
    _since: dict[str, None] = field(default_factory=dict)  # a set, in order

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
            self._since[trial] = None
