"""PBT, population-based training: bad members go on from copies of good ones, with parameters a little changed.

Jaderberg et al. 2017, "Population Based Training of Neural Networks", Algorithm 1 and section 4. All trials are one
population. Each pauses every few epochs. When its turn comes to go on, it is compared with the others (exploit): if it
is bad, it takes over weights and parameters of a good one, and some of them are perturbed (explore).
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.search.pbt_arguments import require_integer, require_share
from raytune_nn.search.perturbable import perturbed_paths
from raytune_nn.search.perturbation import explored
from raytune_nn.search.scheduler import GO_ON, Decision, Resumption, Scheduler, Verdict
from raytune_nn.search.standing import Standing
from raytune_nn.space.base import Domain
from raytune_nn.space.space import Space

NOTHING = Space()
DRAWS = 16  # of a source, before all that could be one are looked at


@dataclass
class Member:
    """What is known of one trial. Its checkpoint is what it, or a copy of it, goes on from."""

    params: dict[str, Any]
    step: int = 0  # epochs at its last report
    saved: int = 0  # epochs in its latest checkpoint
    passed: int = 0  # decision steps behind that checkpoint
    score: float | None = None  # of that checkpoint; None: there is none, or the member is given up
    turns: int = 0  # how often it has gone on
    verdict: Verdict = GO_ON
    runs: bool = True
    own: Member | None = None  # what it was before it became a copy, until it reports as one

    @property
    def counts(self) -> bool:
        """Whether it is still a part of the population."""
        return self.runs or self.score is not None


class PBT(Scheduler):
    """Pauses every member at each multiple of ``interval``, and lets the one with the fewest epochs go on first.

    Who goes on is compared with all that have reported at this very decision step, by what they reported there: with
    few slots some are ahead, and later scores are higher. So nobody goes on before all members have begun, and more
    than half have come as far; as long as at most half of them train at a time, no slot waits for that. A copy takes
    over everything of the other one's latest checkpoint: weights, epochs, score and parameters, then those in
    ``perturb`` are changed. Nobody copies a member that was no better there, or is no better now. A member that ends
    before its last decision (it failed or diverged) gives its place up: it is compared no more, and nobody copies it.

    Args:
        population: Members; all trials of the study.
        max_epochs: Epochs of a whole training. With another fidelity this and the next two are given in its unit.
        interval: Epochs between two decisions about a member.
        burn_in: Epochs before the first decision.
        quantile: Truncation: a member among the worst this share copies one among the best this share; at least one.
        exploit: ``truncation``, or ``tournament``: each is compared with one other, drawn at random.
        resample: The probability that a perturbed parameter is drawn anew instead.
        perturb: The paths to perturb; None: all that ``perturbed_paths`` finds.
        space: What the study searches.
        seed: Of all draws.

    Raises:
        ConfigError: An argument breaks its rule, or ``perturb`` does.
    """

    def __init__(
        self,
        population: int,
        max_epochs: int,
        interval: int = 3,
        burn_in: int = 0,
        quantile: float = 0.25,
        exploit: str = "truncation",
        resample: float = 0.25,
        perturb: Sequence[str] | None = None,
        space: Space = NOTHING,
        seed: int = 0,
    ) -> None:
        require_integer("interval", interval, 1, max_epochs)
        require_integer("burn_in", burn_in, 0, max_epochs)
        if population < 2:
            raise ConfigError("a population must have at least 2 members", population, "budget.num_trials=16")
        require_share("quantile", quantile, "0 < quantile <= 0.5", lambda share: 0 < share <= 0.5)
        require_share("resample", resample, "0 <= resample <= 1", lambda share: 0 <= share <= 1)
        if exploit not in ("truncation", "tournament"):
            rule = "search.scheduler.exploit must be truncation or tournament"
            raise ConfigError(rule, exploit, "search.scheduler.exploit=truncation")
        self._population, self._interval, self._seed = population, interval, seed
        self._quantile, self._resample = Fraction(repr(float(quantile))), resample
        by = self._truncation if exploit == "truncation" else self._tournament
        self._exploit: Callable[[str, random.Random], str | None] = by
        self._space, self._perturb = space, perturbed_paths(space, perturb)
        self._steps = [step for step in range(interval, max_epochs, interval) if step >= burn_in]
        self._members: dict[str, Member] = {}
        self._standings = [Standing() for _ in self._steps]  # of what members reported there themselves
        self._waiting = Standing()  # paused ones, by their epochs
        self._levels: Counter[int] = Counter()  # members that count, by the decision steps behind their checkpoints
        self._last_copy: tuple[str, str] | None = None  # who took over whom

    @property
    def decision_steps(self) -> frozenset[int]:
        """The multiples of the interval from ``burn_in`` on, below max_epochs."""
        return frozenset(self._steps)

    @property
    def pauses(self) -> bool:
        """At every decision step."""
        return True

    @property
    def copies(self) -> bool:
        """Bad members do, of good ones."""
        return True

    def on_start(self, trial: str, params: dict[str, Any]) -> None:
        """One more member."""
        self._members[trial] = Member(params)
        self._levels[0] += 1

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Pause at the first report at a decision step, or after it; keep the score of that checkpoint."""
        member = self._members[trial]
        if step <= member.step:  # a repeated report
            return member.verdict if step == member.step else GO_ON
        member.step = step
        passed = bisect_right(self._steps, step)
        if passed > member.passed:
            for standing in self._standings[member.passed : passed]:
                standing.enter(trial, score)
            with self._counted_anew(member):
                member.saved, member.passed, member.score, member.runs, member.own = step, passed, score, False, None
            member.verdict = Verdict(Decision.PAUSE, f"paused at {step}: {{}}", (score,))
            self._waiting.enter(trial, step)
        return member.verdict

    def on_end(self, trial: str, complete: bool) -> None:
        """Give a member up that ends before its last decision; what has come further may still be copied."""
        self._waiting.leave(trial)
        if (member := self._members.get(trial)) is None:
            return
        with self._counted_anew(member):
            member.runs = False
            if member.passed < len(self._steps):
                member.score = None
                for standing in self._standings:
                    standing.leave(trial)

    def next_to_run(self, new_available: bool) -> Resumption | None:
        """The paused member with the fewest epochs, as it is or as a changed copy of a better one."""
        if new_available or not self._waiting:
            return None
        trial = self._waiting[0]
        member = self._members[trial]
        as_far = sum(count for passed, count in self._levels.items() if passed >= member.passed)
        if 2 * as_far <= self._levels.total():
            return None
        self._waiting.leave(trial)
        rng = random.Random(f"{self._seed}/{trial}/{member.turns}")
        member.verdict, member.turns = GO_ON, member.turns + 1
        member.runs = True  # paused ones count as well, so the levels are as they were
        source = self._exploit(trial, rng)
        if source is None:
            return Resumption(trial)
        there, self._last_copy = self._standings[member.passed - 1], (trial, source)
        scores = there.score(trial), there.score(source)
        copied, member.own = self._members[source], replace(member)
        member.params = self._explore(trial, copied, rng)
        with self._counted_anew(member):
            member.step = member.saved = copied.saved
            member.passed, member.score = copied.passed, copied.score
        return Resumption(trial, source, member.params, f"copies trial {source}: {{}} {{worse}} {{}}", scores)

    def on_fall_back(self, trial: str, epochs: int) -> dict[str, Any] | None:
        """A copy that is damaged was none: the member is what it was."""
        copy = self._members[trial]
        if (own := copy.own) is None or not epochs:
            return None
        self._members[trial] = own
        self._levels[copy.passed] -= 1
        self._levels[own.passed] += 1
        return own.params

    def describe(self) -> str:
        """One line for the plan."""
        if not self._steps:
            return "PBT: no decision before the end, so nothing is perturbed"
        does = f"from {self._steps[0]} on, every {self._interval}, perturbs {', '.join(sorted(self._perturb))}"
        return f"{type(self).__name__}: {self._population} members; {does}"

    def standing(self) -> str:
        """In which generations the members are, and who copied whom last."""
        at = [passed + 1 for passed, count in self._levels.items() if count]
        if not at:
            return ""
        spread = f"{min(at)}" if min(at) == max(at) else f"{min(at)} to {max(at)}"
        last = f", trial {self._last_copy[0]} copied {self._last_copy[1]} last" if self._last_copy else ""
        return f"generation {spread} of {len(self._steps) + 1}{last}"

    def _explore(self, trial: str, source: Member, rng: random.Random) -> dict[str, Any]:
        return explored(source.params, self._perturbed_domains(source.params), self._resample, rng)

    def _perturbed_domains(self, params: dict[str, Any]) -> dict[str, Domain]:
        return {path: domain for path, domain in self._space.active(params).items() if path in self._perturb}

    def _truncation(self, trial: str, rng: random.Random) -> str | None:
        standing = self._standings[self._members[trial].passed - 1]
        size = max(1, math.floor(self._quantile * len(standing)))
        if trial not in standing or standing.place(trial) >= size:
            return None
        best = range(len(standing) - size, len(standing))
        for _ in range(DRAWS):  # nearly always the first is better: no need to look at all
            source = standing[rng.choice(best)]
            if self._is_better(source, trial, standing):
                return source
        better = [standing[place] for place in best if self._is_better(standing[place], trial, standing)]
        return rng.choice(better) if better else None

    def _tournament(self, trial: str, rng: random.Random) -> str | None:
        standing = self._standings[self._members[trial].passed - 1]
        others = len(standing) - (trial in standing)
        if not others:
            return None
        place = rng.randrange(others)
        other = standing[place + (trial in standing and place >= standing.place(trial))]
        return other if self._is_better(other, trial, standing) else None

    def _is_better(self, other: str, trial: str, standing: Standing) -> bool:
        now = self._members[other].score
        return now is not None and min(standing.score(other), now) > standing.score(trial)

    @contextmanager
    def _counted_anew(self, member: Member) -> Iterator[None]:
        self._levels[member.passed] -= member.counts
        yield
        self._levels[member.passed] += member.counts
