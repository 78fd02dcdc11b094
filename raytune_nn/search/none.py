"""No scheduler: every trial trains to its end."""

from __future__ import annotations

from raytune_nn.search.scheduler import GO_ON, Scheduler, Verdict


class NoScheduler(Scheduler):
    """Stops nothing, so no trial ever waits for a verdict."""

    @property
    def decision_steps(self) -> frozenset[int]:
        """None of the steps."""
        return frozenset()

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Answer CONTINUE."""
        return GO_ON

    def describe(self) -> str:
        """One line for the plan."""
        return "no early stopping: every trial trains to its end"
