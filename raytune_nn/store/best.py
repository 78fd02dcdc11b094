"""The trials of a study whose models stay: the Pareto front, or of one metric the best few."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from raytune_nn.config.objective import Objective, Values
from raytune_nn.store.trial import TrialRecord


class BestTrials:
    """Takes in one ended trial after another; its time grows with what stays, not with the number of trials.

    Args:
        keep: How many stay where there is one metric.
    """

    def __init__(self, objective: Objective, keep: int) -> None:
        self._objective, self._keep = objective, keep
        self._pairs: list[tuple[TrialRecord, Values]] = []

    @property
    def trials(self) -> list[TrialRecord]:
        """Best first by the first metric; among equals the one that ended first."""
        return [trial for trial, _ in self._pairs]

    @property
    def front(self) -> list[TrialRecord]:
        """The trials that no other one dominates; of one metric, the best trial."""
        return self.trials if self._objective.further else self.trials[:1]

    @property
    def bar(self) -> tuple[Values, ...]:
        """What a trial's values must join, as a Pareto front, to be among these; of one metric the last of them.

        It only rises.
        """
        if self._objective.further:
            return tuple(values for _, values in self._pairs)
        return (self._pairs[-1][1],) if len(self._pairs) >= self._keep else ()

    def chosen_from(self, trials: Iterable[tuple[TrialRecord, Values | None]]) -> BestTrials:
        """As many of other trials, each with its values if it may win."""
        others = BestTrials(self._objective, self._keep)
        for trial, values in trials:
            if values is not None:
                others.add(trial, values)
        return others

    def add(self, trial: TrialRecord, values: Values) -> None:
        """Takes a trial in that may win, if it is good enough; what is no longer good enough goes."""
        objective = self._objective
        if not objective.joins(values, self.bar):
            return
        if objective.further:
            self._pairs = [pair for pair in self._pairs if not objective.dominates(values, pair[1])]
        else:
            del self._pairs[self._keep - 1 :]  # there is room for one more then
        insort(self._pairs, (trial, values), key=lambda pair: -objective.score(pair[1][0]))
