"""Patience: a trial ends when its score has not improved for some reports, whatever the others do."""

from __future__ import annotations

from dataclasses import dataclass

from raytune_nn.errors import ConfigError
from raytune_nn.search.scheduler import GO_ON, Decision, Scheduler, Verdict


class Patience(Scheduler):
    """Stops a trial after so many reports in a row that were no better than its best before them.

    Prechelt 1998, "Early Stopping - But When?", criterion UP, counted from the best report.

    Args:
        reports: How many.

    Raises:
        ConfigError: It is no integer of at least 1.
    """

    def __init__(self, reports: int = 5) -> None:
        if not isinstance(reports, int) or isinstance(reports, bool) or reports < 1:
            rule = "patience's reports must be an integer of at least 1"
            raise ConfigError(rule, f"reports={reports!r}", "search.scheduler.reports=5")
        self._reports = reports
        self._trials: dict[str, _Best] = {}

    @property
    def decision_steps(self) -> None:
        """Any."""
        return None

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Count the report if it is no better than the best."""
        best = self._trials.setdefault(trial, _Best())
        if step > best.last and best.waited < self._reports:
            best.last = step
            best.waited += 1
            if score > best.score:
                best.score, best.step, best.waited = score, step, 0
        if best.waited < self._reports:
            return GO_ON
        return Verdict(Decision.STOP, f"stopped: nothing better since {{}} at {best.step}", (best.score,))

    def describe(self) -> str:
        """One line for the plan."""
        return f"patience: stops a trial after {self._reports} reports without a better score"


@dataclass
class _Best:
    """A trial's best score and the reports since."""

    score: float = float("-inf")
    step: int = 0  # of the best score
    last: int = 0  # step of the last report
    waited: int = 0
