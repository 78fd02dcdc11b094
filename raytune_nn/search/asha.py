"""ASHA, the asynchronous successive halving algorithm.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", Algorithm 2, and section 3 on brackets. A trial
pauses at each rung and gives its slot up. A free slot goes to a paused trial that is among the best 1/eta of its rung,
the highest rung first; where there is none, a new trial begins. So nobody waits for a rung to fill, and a trial that
came early among good ones still goes on when enough worse ones have come after it.

The variant without promotion decides at once and for good: a trial that is among the best of those that came before it
goes on, any other ends. It needs no checkpoints at the rungs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.search.rung import Bracket, Result, Rung, hyperband
from raytune_nn.search.scheduler import GO_ON, Decision, Resumption, Scheduler, Verdict


class ASHA(Scheduler):
    """Lets the best 1/reduction_factor of the results in a rung go on to the next one.

    With n results in a rung, the best n // reduction_factor go on. A report that comes after skipped rungs counts for
    each of them.

    With promotion a trial pauses at a rung (after skipped ones, at the highest that it has reached), except where it
    would itself be given the next free slot: it then trains on, which is the same and spares it a checkpoint's loading.
    Of several in a rung the best goes first, and of equals the earliest. A budget may be too small for anybody to come
    to the end: 16 trials fill the rungs 1, 3 and 9 with 16, 5 and 1 results. So when nothing runs and nothing new
    comes, the best one of the highest rung goes on, unless a trial has come to its end there or beyond.

    Without promotion a trial goes on while n < reduction_factor, or if its rank (1 + the results strictly better, so
    that ties share the better rank) is good enough at that moment; else it ends, at the lowest rung that stops it.

    With several brackets, each one's first rung is one rung above that of the bracket before, and a trial is compared
    with those of its own bracket. The brackets share the trials in the proportions of Hyperband.

    Args:
        max_epochs: Epochs of a whole training; nothing is decided at this step or after it. With another fidelity this
            and the next are given in its unit.
        grace_period: Epochs every trial trains for certain: the first rung.
        reduction_factor: Ratio of a rung to the one before, and of results to those that go on (eta).
        brackets: How many; 1 is the most eager one alone.
        promote: Whether trials pause and may be promoted later; otherwise they are stopped for good.

    Raises:
        ConfigError: An argument is no integer or too small, the grace period exceeds max_epochs, or there is no rung
            for each bracket to begin at.
    """

    def __init__(
        self,
        max_epochs: int,
        grace_period: int = 1,
        reduction_factor: int = 3,
        brackets: int = 1,
        promote: bool = True,
    ) -> None:
        _require_integer("max_epochs", max_epochs, least=1, fix="budget.max_epochs=27")
        _require_integer("grace_period", grace_period, least=1, fix="search.scheduler.grace_period=1")
        _require_integer("reduction_factor", reduction_factor, least=2, fix="search.scheduler.reduction_factor=3")
        _require_integer("brackets", brackets, least=1, fix="search.scheduler.brackets=1")
        if grace_period > max_epochs:
            raise ConfigError(
                "ASHA's grace_period must not exceed max_epochs",
                f"grace_period={grace_period}, max_epochs={max_epochs}",
                "search.scheduler.grace_period=1",
            )
        self._rungs = _geometric(grace_period, reduction_factor, max_epochs)
        if brackets > len(self._rungs):
            raise ConfigError(
                "ASHA's brackets must not outnumber its rungs",
                f"brackets={brackets}, rungs {', '.join(map(str, self._rungs))}",
                f"search.scheduler.brackets={len(self._rungs)}",
            )
        self._max_epochs = max_epochs
        self.reduction_factor = reduction_factor
        self._promote = promote
        self._deciding = tuple(step for step in self._rungs if step < max_epochs)
        self._brackets = hyperband(self._rungs, self._deciding, brackets, reduction_factor)
        rungs = [rung for bracket in self._brackets for rung in bracket.rungs]
        self._downwards = sorted(rungs, key=lambda rung: -rung.step)
        self._places: dict[str, _Place] = {}
        self._running: set[str] = set()
        self._farthest = 0  # step of a trial that has come to its end

    @property
    def rungs(self) -> tuple[int, ...]:
        """grace_period * reduction_factor**k, as far as max_epochs."""
        return self._rungs

    @property
    def decision_steps(self) -> frozenset[int]:
        """The rungs below max_epochs."""
        return frozenset(self._deciding)

    @property
    def pauses(self) -> bool:
        """With promotion."""
        return self._promote

    def on_start(self, trial: str, params: dict[str, Any]) -> None:
        """Give the trial a bracket."""
        self._place(trial)
        self._running.add(trial)

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Enter the score into the rungs the trial has reached since its last report, and judge it there."""
        place = self._place(trial)
        place.step = max(place.step, step)
        if place.verdict is not GO_ON:
            return place.verdict  # a repeated report
        if step >= self._max_epochs:
            return GO_ON
        reached = place.bracket.rungs[place.entered : bisect_right(place.bracket.steps, step)]
        if self._promote:
            place.verdict = self._pause(place, reached, trial, score)
        else:
            place.verdict = self._stop(place, reached, trial, score)
        return place.verdict

    def on_end(self, trial: str, complete: bool) -> None:
        """Forget that the trial runs or waits; its results still count."""
        self._running.discard(trial)
        if trial in self._places:
            self._places[trial].leave()
            self._farthest = max(self._farthest, self._places[trial].step if complete else 0)

    def next_to_run(self, new_available: bool) -> Resumption | None:
        """The best promotable trial of the highest rung that has one."""
        result = self._next_promotable()
        if result is None and not (new_available or self._running):
            beyond = (rung.best_waiting for rung in self._downwards if rung.step > self._farthest)
            result = next(filter(None, beyond), None)
        if result is None:
            return None
        trial = result[2]
        rung = self._places[trial].leave()
        self._running.add(trial)
        where = "" if rung is None else f" from rung {rung.step}: {{}} is {rung.why(result)}"
        return Resumption(trial, reason=f"goes on{where}", scores=(result[0],))

    def describe(self) -> str:
        """One line for the plan."""
        if not self._deciding:
            return f"ASHA: no rung below {self._max_epochs}, so nothing is stopped"
        steps = ", ".join(map(str, self._deciding))
        does = f"pauses at {steps} until" if self._promote else f"goes on at {steps} if"
        brackets = f"; {len(self._brackets)} brackets" if len(self._brackets) > 1 else ""
        return f"ASHA: up to {self._max_epochs}, {does} in the best 1/{self.reduction_factor} there{brackets}"

    def standing(self) -> str:
        """How many trials have a result at each rung."""
        reached = Counter[int]()
        for rung in reversed(self._downwards):
            reached[rung.step] += len(rung)
        return "reached rung " + ", ".join(f"{step}: {count}" for step, count in reached.items()) if reached else ""

    def _place(self, trial: str) -> _Place:
        if trial not in self._places:
            self._places[trial] = _Place(self._next_bracket())
        return self._places[trial]

    def _next_bracket(self) -> Bracket:
        """The one that is furthest behind its share of the trials; of equals the most eager."""
        trials, sizes = len(self._places) + 1, sum(bracket.size for bracket in self._brackets)
        bracket = max(self._brackets, key=lambda bracket: bracket.size * trials - bracket.trials * sizes)
        bracket.trials += 1
        return bracket

    def _next_promotable(self) -> Result | None:
        return next(filter(None, (rung.promotable for rung in self._downwards)), None)

    def _pause(self, place: _Place, reached: list[Rung], trial: str, score: float) -> Verdict:
        if not reached:
            return GO_ON
        results = [rung.enter(trial, score) for rung in reached]
        place.entered += len(reached)
        place.wait(reached[-1], results[-1])
        if self._next_promotable() == results[-1]:
            place.leave()
            return GO_ON
        self._running.discard(trial)
        reason = f"paused at rung {reached[-1].step}: {{}} is {reached[-1].rank(results[-1])}"
        return Verdict(Decision.PAUSE, reason, (score,))

    def _stop(self, place: _Place, reached: list[Rung], trial: str, score: float) -> Verdict:
        for rung in reached:
            rung.enter(trial, score)
            # The count is kept after a trial's end too: a late or repeated report must not enter a rung twice.
            place.entered += 1
            if not rung.passes(score):
                reason = f"stopped at rung {rung.step}: {{}} {{worse}} {{}}"
                return Verdict(Decision.STOP, reason, (score, rung.cutoff[0]))
        return GO_ON


@dataclass
class _Place:
    """Where a trial stands."""

    bracket: Bracket
    step: int = 0  # at its last report
    entered: int = 0  # how many of the bracket's rungs it has a result in
    verdict: Verdict = GO_ON
    waits: tuple[Rung, Result] | None = None

    def wait(self, rung: Rung, result: Result) -> None:
        rung.wait(result)
        self.waits = (rung, result)

    def leave(self) -> Rung | None:
        """Take the trial out of the rung where it waits, and return that one, if it does."""
        if self.waits is None:
            return None
        rung, result = self.waits
        rung.leave(result)
        self.waits = None
        self.verdict = GO_ON
        return rung


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
