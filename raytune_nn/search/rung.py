"""The rungs of successive halving: the results that reached them, and who of the paused trials may go on."""

from __future__ import annotations

from bisect import bisect_left, insort

# The score, minus the place in the order of arrival (so that of equal scores the earlier is the better), the trial.
Result = tuple[float, int, str]


class Rung:
    """The results at one step, and those of them that wait; each call costs O(log n) comparisons.

    Args:
        step: What a trial has reached at this rung.
        factor: One in so many results goes on.
    """

    def __init__(self, step: int, factor: int) -> None:
        self.step = step
        self._factor = factor
        self._results: list[Result] = []  # both ascending
        self._waiting: list[Result] = []

    def __len__(self) -> int:
        """How many results there are."""
        return len(self._results)

    def enter(self, trial: str, score: float) -> Result:
        """Take in one more result; each trial enters once."""
        result = (score, -len(self._results), trial)
        insort(self._results, result)
        return result

    def wait(self, result: Result) -> None:
        """Take in that this result's trial is paused here."""
        insort(self._waiting, result)

    def leave(self, result: Result) -> None:
        """Take in that this result's trial waits no longer."""
        del self._waiting[bisect_left(self._waiting, result)]

    @property
    def quota(self) -> int:
        """How many of the results go on: the best n // factor."""
        return len(self._results) // self._factor

    @property
    def cutoff(self) -> Result:
        """The worst result that goes on; with a quota of 0, there is none (IndexError)."""
        return self._results[len(self._results) - self.quota]

    @property
    def best_waiting(self) -> Result | None:
        """The best paused one, whether it may go on or not."""
        return self._waiting[-1] if self._waiting else None

    @property
    def promotable(self) -> Result | None:
        """The best paused one, if it is among the best 1/factor of all results."""
        best = self.best_waiting
        return best if best is not None and self.quota and best >= self.cutoff else None

    def passes(self, score: float) -> bool:
        """Whether a result just entered goes on where it must be decided now; ties share the better rank."""
        return len(self._results) < self._factor or score >= self.cutoff[0]

    def rank(self, result: Result) -> str:
        """The result's place among all, in words."""
        return f"number {len(self._results) - bisect_left(self._results, result)} of {len(self._results)}"

    def why(self, result: Result) -> str:
        """Why the best one that waited goes on, in words."""
        if self.quota and result >= self.cutoff:
            return f"one of the best {self.quota} of {len(self._results)}"
        return "the best that waits"


class Bracket:
    """The rungs that some of the trials climb.

    Args:
        rungs: The ones that decide, ascending.
        size: The bracket's share of the trials, in proportion to the sizes of the others.
    """

    def __init__(self, rungs: list[Rung], size: int) -> None:
        self.rungs, self.size = rungs, size
        self.steps = [rung.step for rung in rungs]
        self.trials = 0  # that it was given so far


def hyperband(steps: tuple[int, ...], deciding: tuple[int, ...], brackets: int, factor: int) -> list[Bracket]:
    """The most eager brackets of Hyperband over these rungs: each starts one rung above the one before.

    Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", Algorithm 1: a bracket
    that halves s times begins with ceil((s_max + 1) * factor**s / (s + 1)) trials.

    Args:
        steps: All rungs, ascending.
        deciding: Those of them at which something is decided.
        brackets: How many, at most one a rung.
        factor: One in so many results goes on.
    """
    made = []
    for first in range(brackets):
        halvings = len(steps) - 1 - first
        size = -(-len(steps) * factor**halvings // (halvings + 1))
        made.append(Bracket([Rung(step, factor) for step in deciding[first:]], size))
    return made
