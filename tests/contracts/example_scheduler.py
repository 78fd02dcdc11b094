"""A complete scheduler, shown in the README: half of the trials end at one step."""

from __future__ import annotations

from bisect import bisect_left, insort

from raytune_nn.search.scheduler import GO_ON, Decision, Scheduler, Verdict


class Halve(Scheduler):
    """Stops a trial that is not in the better half of those that came to a step before it.

    Args:
        step: Epochs trained when it is decided.
    """

    def __init__(self, step: int = 3) -> None:
        self._step = step
        self._scores: list[float] = []  # ascending
        self._verdicts: dict[str, Verdict] = {}

    @property
    def decision_steps(self) -> frozenset[int]:
        """The one step: elsewhere no trial waits for a verdict."""
        return frozenset({self._step})

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Decide once a trial, at its first report at the step or after it; later the same again."""
        if step < self._step:
            return GO_ON
        if trial not in self._verdicts:
            self._verdicts[trial] = self._judge(score)
            insort(self._scores, score)
        return self._verdicts[trial]

    def describe(self) -> str:
        """One line for the plan."""
        return f"halving once: the better half goes on at {self._step}"

    def _judge(self, score: float) -> Verdict:
        worse = bisect_left(self._scores, score)
        if 2 * worse >= len(self._scores):
            return GO_ON
        return Verdict(Decision.STOP, f"stopped at {self._step}: better than {worse} of {len(self._scores)}")
