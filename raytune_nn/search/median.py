"""Median stopping: a trial that has never done as well as others do on average has no future."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from raytune_nn.errors import ConfigError
from raytune_nn.search.scheduler import GO_ON, Decision, Scheduler, Verdict


class MedianStopping(Scheduler):
    """Stops a trial whose best score so far is below the median of the others' running averages at the same step.

    Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization", section 3.2. Unlike there, trials that
    have not come to their end count too, stopped ones with what they reported: nobody waits for the first to finish.

    Args:
        grace_period: Epochs every trial trains for certain: the first step that may stop it.
        min_trials: Others that must have reported at a step before it stops anybody.

    Raises:
        ConfigError: An argument is no integer of at least 1.
    """

    def __init__(self, grace_period: int = 3, min_trials: int = 5) -> None:
        for name, value in (("grace_period", grace_period), ("min_trials", min_trials)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                rule = f"median stopping's {name} must be an integer of at least 1"
                raise ConfigError(rule, f"{name}={value!r}", f"search.scheduler.{name}=3")
        self._grace_period, self._min_trials = grace_period, min_trials
        self._averages: dict[int, list[float]] = {}  # of the scores up to a step, each ascending
        self._trials: dict[str, _Scores] = {}

    @property
    def decision_steps(self) -> None:
        """Any."""
        return

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Compare the trial's best with the others' averages, and add its own average to them."""
        scores = self._trials.setdefault(trial, _Scores())
        if step > scores.step and scores.verdict is GO_ON:
            scores.add(step, score)
            averages = self._averages.setdefault(step, [])
            if step >= self._grace_period and len(averages) >= self._min_trials:
                scores.verdict = _judge(scores.best, averages, step)
            insort(averages, scores.total / scores.count)
        return scores.verdict

    def describe(self) -> str:
        """One line for the plan."""
        return f"median stopping: from epoch {self._grace_period} on, stops what never reached the others' median"


@dataclass
class _Scores:
    """What one trial has reported."""

    step: int = 0
    best: float = float("-inf")
    total: float = 0.0
    count: int = 0
    verdict: Verdict = GO_ON

    def add(self, step: int, score: float) -> None:
        self.step, self.best = step, max(self.best, score)
        self.total += score
        self.count += 1


def _judge(best: float, averages: list[float], step: int) -> Verdict:
    middle = len(averages) // 2
    median = averages[middle] if len(averages) % 2 else (averages[middle - 1] + averages[middle]) / 2
    if best < median:
        reason = f"stopped at epoch {step}: best {{}} {{worse}} median {{}}"
        return Verdict(Decision.STOP, reason, (best, median))
    return GO_ON
