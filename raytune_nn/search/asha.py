"""ASHA, the asynchronous successive halving algorithm, in its stopping variant.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", section 3 and Algorithm 2. The
paper pauses a trial at each rung and promotes it once it is among the best there. This variant decides at
once and for good: a trial that is among the best of those that came before it goes on, any other ends.
"""

from __future__ import annotations

from bisect import bisect_right, insort

from raytune_nn.errors import ConfigError
from raytune_nn.search.scheduler import GO_ON, Decision, Scheduler, Verdict


class ASHA(Scheduler):
    """Stops a trial at a rung unless it is in the best 1/reduction_factor of the results there so far.

    With n results in a rung, its own included, a trial goes on while n < reduction_factor, or if its rank
    (1 + the results strictly better, so ties share the better rank) is at most n // reduction_factor. A
    report that comes after skipped rungs counts for each of them, from the lowest up to the first that
    stops it.

    Args:
        max_epochs: Epochs of a whole training; nothing is decided at this step or after it.
        grace_period: Epochs every trial trains for certain: the first rung.
        reduction_factor: Ratio of a rung to the one before, and of results to those that go on (eta).

    Raises:
        ConfigError: An argument is no integer or too small, or the grace period exceeds max_epochs.
    """

    def __init__(self, max_epochs: int, grace_period: int = 1, reduction_factor: int = 3) -> None:
        _require_integer("max_epochs", max_epochs, least=1, fix="budget.max_epochs=27")
        _require_integer("grace_period", grace_period, least=1, fix="search.scheduler.grace_period=1")
        _require_integer("reduction_factor", reduction_factor, least=2, fix="search.scheduler.reduction_factor=3")
        if grace_period > max_epochs:
            raise ConfigError(
                "ASHA's grace_period must not exceed max_epochs",
                f"grace_period={grace_period}, max_epochs={max_epochs}",
                "search.scheduler.grace_period=1",
            )
        self._max_epochs = max_epochs
        self._factor = reduction_factor
        self._rungs = _geometric(grace_period, reduction_factor, max_epochs)
        self._deciding = tuple(rung for rung in self._rungs if rung < max_epochs)
        self._results: dict[int, list[float]] = {rung: [] for rung in self._deciding}  # each ascending
        self._entered: dict[str, int] = {}  # how many of the deciding rungs a trial has a result in
        self._stopped: dict[str, Verdict] = {}

    @property
    def rungs(self) -> tuple[int, ...]:
        """grace_period * reduction_factor**k, in epochs, as far as max_epochs."""
        return self._rungs

    @property
    def decision_steps(self) -> frozenset[int]:
        """The rungs below max_epochs."""
        return frozenset(self._deciding)

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Enter the score into the rungs the trial has reached since its last report, and judge it there."""
        if trial in self._stopped:
            return self._stopped[trial]
        if step >= self._max_epochs:
            return GO_ON
        reached = bisect_right(self._deciding, step)
        for rung in self._deciding[self._entered.get(trial, 0) : reached]:
            verdict = self._enter(trial, rung, score)
            if verdict.decision is Decision.STOP:
                self._stopped[trial] = verdict
                return verdict
        return GO_ON

    def describe(self) -> str:
        """One line for the plan."""
        if not self._deciding:
            return f"ASHA: no rung below {self._max_epochs} epochs, so nothing is stopped"
        steps = ", ".join(map(str, self._deciding))
        return f"ASHA: of {self._max_epochs} epochs, goes on at {steps} if in the best 1/{self._factor} there"

    def _enter(self, trial: str, rung: int, score: float) -> Verdict:
        # The counts are kept after a trial's end too: a late or repeated report must not enter a rung twice.
        self._entered[trial] = self._entered.get(trial, 0) + 1
        results = self._results[rung]
        insort(results, score)
        go_on = len(results) // self._factor
        better = len(results) - bisect_right(results, score)
        if len(results) < self._factor or better < go_on:
            return GO_ON
        return Verdict(Decision.STOP, f"stopped at rung {rung}: {score:.6g} < {results[-go_on]:.6g}")


def _geometric(first: int, factor: int, last: int) -> tuple[int, ...]:
    """First, first * factor, ... up to last, in integers: a logarithm loses rungs to rounding."""
    steps = []
    while first <= last:
        steps.append(first)
        first *= factor
    return tuple(steps)


def _require_integer(name: str, value: object, least: int, fix: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"ASHA's {name} must be an integer of at least {least}", f"{name}={value!r}", fix)
