"""What every scheduler keeps to. A new one is one line in SCHEDULERS."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import ClassVar

import pytest
from example_scheduler import Halve
from virtual_study import EPOCHS, Journal, Make, Study, params_of

from raytune_nn.search.asha import ASHA
from raytune_nn.search.median import MedianStopping
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.patience import Patience
from raytune_nn.search.pb2 import PB2
from raytune_nn.search.pbt import PBT
from raytune_nn.search.scheduler import GO_ON, Decision, Resumption, Verdict
from raytune_nn.space.domains import LogUniform
from raytune_nn.space.space import Space

SEEDS = range(12)
SPACE = Space({"optimizer.lr": LogUniform(1e-4, 1e-1)})  # what params_of draws

SCHEDULERS: dict[str, Make] = {
    "none": NoScheduler,
    "asha": partial(ASHA, EPOCHS),
    "asha_brackets": partial(ASHA, EPOCHS, brackets=3),
    "asha_short": partial(ASHA, EPOCHS - 7, reduction_factor=2),  # trials that report past its max_epochs
    "asha_stopping": partial(ASHA, EPOCHS, promote=False),
    "asha_stopping_slow": partial(ASHA, EPOCHS, grace_period=2, reduction_factor=4, promote=False),
    "asha_stopping_short": partial(ASHA, EPOCHS - 7, reduction_factor=2, promote=False),
    "median": partial(MedianStopping, grace_period=1),
    "patience": partial(Patience, reports=4),
    "pbt": partial(PBT, 15, EPOCHS, interval=4, space=SPACE),
    "pbt_tournament": partial(PBT, 15, EPOCHS - 7, burn_in=5, exploit="tournament", space=SPACE, seed=1),
    "pb2": partial(PB2, 15, EPOCHS, interval=5, space=SPACE),
    "example": Halve,
}


def check_a_resumed_study_takes_the_same_decisions(make: Make) -> None:
    for seed in SEEDS:
        uncut = Study(seed, Journal(make)).run()
        cut = random.Random(seed).randrange(1, len(uncut))
        assert Study(seed, Journal(make, cut)).run() == uncut


def check_repeated_reports_change_nothing(make: Make) -> None:
    for seed in SEEDS:
        assert Study(seed, Journal(make), repeats=True).run() == Study(seed, Journal(make)).run()


def check_decisions_fall_on_decision_steps(make: Make) -> None:
    steps = make().decision_steps
    for seed in SEEDS:
        before: dict[str, int] = {}
        saved: dict[str, int] = {}
        for call in Study(seed, Journal(make)).run():
            if isinstance(call.answer, Resumption) and call.answer.source is not None:
                assert make().copies, "no states are saved between decision steps then"
                before[call.answer.trial] = saved[call.answer.trial] = saved[call.answer.source]
            if not isinstance(call.answer, Verdict):
                continue
            assert make().pauses or call.answer.decision is not Decision.PAUSE
            since = range(before.get(call.trial, 0) + 1, call.step + 1)
            if steps is not None and call.answer.decision is not Decision.CONTINUE:
                assert steps.intersection(since), f"{call} since step {since.start}, but decides at {steps}"
            before[call.trial] = call.step
            if call.answer.decision is Decision.PAUSE:
                saved[call.trial] = call.step


class CountedScore(float):
    """A score that counts how often any is compared."""

    comparisons = 0

    def __lt__(self, other: float) -> bool:
        CountedScore.comparisons += 1
        return float(self) < float(other)

    def __gt__(self, other: float) -> bool:
        CountedScore.comparisons += 1
        return float(self) > float(other)


def check_a_decision_costs_the_same_after_thousands(make: Make) -> None:
    scheduler, trials = make(), 10_000
    step = min(scheduler.decision_steps or {1})
    for i in range(trials):
        CountedScore.comparisons = 0
        scheduler.on_start(f"trial{i}", params_of(f"trial{i}"))
        scheduler.on_report(f"trial{i}", step, CountedScore(i * 7 % trials))
        scheduler.next_to_run(new_available=True)
        assert CountedScore.comparisons <= 64, f"comparisons for decision {i}"


CHECKS = [
    check_a_resumed_study_takes_the_same_decisions,
    check_repeated_reports_change_nothing,
    check_decisions_fall_on_decision_steps,
    check_a_decision_costs_the_same_after_thousands,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_contract(name: str, check: Callable[[Make], None]) -> None:
    check(SCHEDULERS[name])


def test_the_studies_hold_decisions_of_all_kinds() -> None:
    for name, other in {"asha": Decision.PAUSE, "asha_stopping": Decision.STOP}.items():
        calls = Study(0, Journal(SCHEDULERS[name])).run()
        answers = [call.answer.decision for call in calls if isinstance(call.answer, Verdict)]
        assert answers.count(other) > 3
        assert answers.count(Decision.CONTINUE) > 15
        assert any(isinstance(call.answer, Resumption) for call in calls) is (other is Decision.PAUSE)


@pytest.mark.parametrize("name", ["pbt", "pbt_tournament", "pb2"])
def test_the_studies_hold_copies_with_parameters_of_their_own(name: str) -> None:
    answers = [call.answer for call in Study(0, Journal(SCHEDULERS[name])).run()]
    resumed = [answer for answer in answers if isinstance(answer, Resumption)]
    copies = [resumption for resumption in resumed if resumption.source is not None]
    assert len(copies) > 3
    assert len(copies) < len(resumed)
    for copy in copies:
        assert copy.params is not None
        assert SPACE.contains(copy.params)


@pytest.mark.parametrize("name", sorted(SCHEDULERS.keys() - {"none", "example"}))
def test_each_of_ours_says_in_numbers_why_it_stops_pauses_or_copies(name: str) -> None:
    told = 0
    for call in Study(0, Journal(SCHEDULERS[name])).run():
        answer = call.answer
        if isinstance(answer, Verdict) and answer.decision is not Decision.CONTINUE:
            assert answer.scores[0] == call.score or name in ("median", "patience"), "which judge the trial's best"
        elif not (isinstance(answer, Resumption) and answer.source is not None):
            continue
        else:
            assert answer.source in answer.words()
            assert answer.scores[0] < answer.scores[1], "the worse one copies"
        told += 1
        highest, lowest = answer.words(maximise=True), answer.words(maximise=False)
        for score in answer.scores:
            assert f"{score:.6g}" in highest, "as the metric has it"
            assert f"{0.0 - score:.6g}" in lowest
        assert ("<" in highest) is (">" in lowest)
        assert not re.search("[{}]", highest + lowest)
    assert told >= 3


def test_a_reason_without_scores_is_taken_as_it_is() -> None:
    assert Verdict(Decision.STOP, "it is {odd}").words(maximise=False) == "it is {odd}"
    assert Resumption("0").words() == ""


@pytest.mark.parametrize("name", SCHEDULERS)
def test_where_it_stands_is_a_line_and_survives_a_restart(name: str) -> None:
    for seed in SEEDS[:2]:
        uncut, cut = Journal(SCHEDULERS[name]), Journal(SCHEDULERS[name], 20)
        for journal in (uncut, cut):
            assert "\n" not in journal.scheduler.standing()
            Study(seed, journal).run()
        assert uncut.scheduler.standing() == cut.scheduler.standing()
        assert bool(uncut.scheduler.standing()) is name.startswith(("asha", "pb"))


class Pauses(NoScheduler):
    """Pauses each trial at its first report and lets them go on in that order; keeps the contract."""

    decision_steps = frozenset({1})
    pauses = True

    def __init__(self) -> None:
        self.queue: list[str] = []
        self.pausing: dict[str, int] = {}

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        if trial not in self.pausing:
            self.pausing[trial] = step
            self.queue.append(trial)
        return Verdict(Decision.PAUSE) if self.pausing[trial] == step and trial in self.queue else GO_ON

    def on_end(self, trial: str, complete: bool) -> None:
        if trial in self.queue:
            self.queue.remove(trial)

    def next_to_run(self, new_available: bool) -> Resumption | None:
        return Resumption(self.queue.pop(0)) if self.queue else None


@pytest.mark.parametrize("check", CHECKS)
def test_a_scheduler_that_pauses_can_keep_the_contract(check: Callable[[Make], None]) -> None:
    check(Pauses)


class Remembers(NoScheduler):
    """Stops a trial by what an object before it heard."""

    heard: ClassVar[list[str]] = []

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        self.heard.append(trial)
        return Verdict(Decision.STOP) if len(self.heard) % 5 == 0 else GO_ON


class CountsRepeats(NoScheduler):
    """Stops every tenth report."""

    def __init__(self) -> None:
        self.reports = count(1)

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        return Verdict(Decision.STOP) if next(self.reports) % 10 == 0 else GO_ON


class StopsBetweenRungs(NoScheduler):
    """Stops at step 4 and says that it decides at 3."""

    decision_steps = frozenset({3})

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        return Verdict(Decision.STOP) if step == 4 else GO_ON


class ComparesWithAll(NoScheduler):
    """Looks through all scores at each report."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        self.scores = sorted([*self.scores, score])
        return GO_ON


BROKEN: list[Make] = [Remembers, CountsRepeats, StopsBetweenRungs, ComparesWithAll]  # one a check


@pytest.mark.parametrize(("check", "broken"), [*zip(CHECKS, BROKEN, strict=True)])
def test_each_check_catches_a_scheduler_that_breaks_it(check: Callable[[Make], None], broken: Make) -> None:
    with pytest.raises(AssertionError):
        check(broken)
