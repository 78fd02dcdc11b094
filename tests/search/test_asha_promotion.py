"""ASHA with promotion: by hand, and against the words of the paper's Algorithm 2."""

from __future__ import annotations

import random

import pytest

from raytune_nn.search.asha import ASHA
from raytune_nn.search.scheduler import Decision, Resumption

CONTINUE, PAUSE = Decision.CONTINUE, Decision.PAUSE


def start(asha: ASHA, *trials: str) -> None:
    for trial in trials:
        asha.on_start(trial, {})


def report(asha: ASHA, step: int, **scores: float) -> list[Decision]:
    """Fresh trials that report at their first step."""
    start(asha, *scores)
    return [asha.on_report(trial, step, score).decision for trial, score in scores.items()]


def next_trials(asha: ASHA, new_available: bool = True) -> list[str]:
    """All that may go on now."""
    named = []
    while (resumption := asha.next_to_run(new_available)) is not None:
        named.append(resumption.trial)
    return named


def test_the_best_third_of_a_rung_goes_on_best_first() -> None:
    asha = ASHA(27)
    assert report(asha, 1, a=0.5, b=0.4, c=0.3) == [PAUSE, PAUSE, PAUSE]
    assert next_trials(asha) == ["a"]
    assert report(asha, 1, d=0.1, e=0.2, f=0.0) == [PAUSE, PAUSE, PAUSE], "with six, the second best: b, not f"
    assert asha.next_to_run(True) == Resumption("b")
    assert report(asha, 1, g=0.32, h=0.31, i=0.01) == [PAUSE, PAUSE, PAUSE]
    assert next_trials(asha) == ["g"]


def test_a_trial_that_would_be_next_just_goes_on() -> None:
    asha = ASHA(27)
    assert report(asha, 1, a=0.1, b=0.2, c=0.3, d=0.4) == [PAUSE, PAUSE, CONTINUE, CONTINUE]
    assert next_trials(asha) == []


def test_the_highest_rung_comes_first() -> None:
    asha = ASHA(27)
    start(asha, "x", "y")
    report(asha, 1, a=9.0, b=8.0, c=7.0)
    assert next_trials(asha) == ["a"]
    assert [asha.on_report(trial, 3, score).decision for trial, score in (("x", 0.5), ("y", 0.4))] == [PAUSE, PAUSE]
    assert asha.on_report("a", 3, 0.3).decision is PAUSE, "the third there, but x is the best"
    report(asha, 1, d=0.0)
    assert asha.next_to_run(True) == Resumption("x")
    assert asha.next_to_run(True) == Resumption("b"), "rung 1 has six results now, x and y counted: a and b are best"
    assert asha.next_to_run(True) is None


def test_ties_go_by_order_of_arrival() -> None:
    asha = ASHA(27)
    report(asha, 1, a=0.5, b=0.5, c=0.5, d=0.5, e=0.5, f=0.5)
    assert next_trials(asha) == ["a", "b"]


def test_a_promoted_trial_that_is_overtaken_takes_nobodys_place() -> None:
    asha = ASHA(27)
    report(asha, 1, a=0.1, b=0.0, c=0.0)
    assert next_trials(asha) == ["a"]
    # a is out of the best two of seven by now; both of them may still go on.
    assert report(asha, 1, d=0.5, e=0.6, f=0.0, g=0.0) == [CONTINUE, CONTINUE, PAUSE, PAUSE]


def test_after_skipped_rungs_a_trial_pauses_at_the_highest() -> None:
    asha = ASHA(27)
    start(asha, "skips")
    assert asha.on_report("skips", 5, 0.9).words() == "paused at rung 3: 0.9 is number 1 of 1"
    assert report(asha, 1, a=0.8, b=0.7) == [PAUSE, PAUSE]
    assert next_trials(asha) == [], "it counts in rung 1 too, as the best of three"
    assert report(asha, 1, c=0.1, d=0.1, e=0.1) == [PAUSE, PAUSE, PAUSE]
    assert next_trials(asha) == ["a"]
    assert asha.on_report("a", 3, 0.2).decision is PAUSE


def test_a_paused_trial_that_ends_goes_on_no_more_but_still_counts() -> None:
    asha = ASHA(27)
    report(asha, 1, a=0.5, b=0.4, c=0.3)
    asha.on_end("a", complete=False)
    assert next_trials(asha) == []
    report(asha, 1, d=0.1, e=0.1, f=0.1)
    assert next_trials(asha) == ["b"]


def test_repeated_reports_change_nothing() -> None:
    asha = ASHA(27)
    [first, *_] = [asha.on_report(trial, 1, score) for trial, score in (("a", 0.5), ("b", 0.4))]
    assert [asha.on_report("a", 1, score) for score in (0.5, 9.0)] == [first, first]
    assert asha.on_report("c", 1, 0.3).decision is PAUSE
    assert next_trials(asha) == ["a"]
    assert asha.on_report("a", 1, -1.0).decision is CONTINUE, "a restarted trial, back at a rung it has passed"
    assert asha.on_report("a", 2, -1.0).decision is CONTINUE
    assert next_trials(asha) == []


def test_one_trial_is_trained_to_its_end_however_small_the_budget() -> None:
    asha = ASHA(27)
    report(asha, 1, a=0.5, b=0.4)
    start(asha, "c")
    assert next_trials(asha, new_available=False) == [], "c runs"
    assert asha.on_report("c", 1, 0.3).decision is PAUSE
    assert next_trials(asha) == ["a"]
    assert asha.on_report("a", 3, 0.1).decision is PAUSE
    assert next_trials(asha, new_available=True) == []
    for rung in (9, 27):
        assert next_trials(asha, new_available=False) == ["a"]
        assert asha.on_report("a", rung, 0.1).decision is (PAUSE if rung < 27 else CONTINUE)
    asha.on_end("a", complete=True)
    assert next_trials(asha, new_available=False) == [], "a has come to its end"


def test_a_trial_may_come_to_its_end_without_a_report_there() -> None:
    """As with early stopping, or a validation every few epochs."""
    asha = ASHA(27)
    report(asha, 1, a=0.5, b=0.4)
    assert next_trials(asha, new_available=False) == ["a"]
    assert asha.on_report("a", 2, 0.6).decision is CONTINUE
    asha.on_end("a", complete=True)
    assert next_trials(asha, new_available=False) == []


def test_who_ended_early_does_not_keep_those_ahead_from_their_end() -> None:
    asha = ASHA(27)
    assert report(asha, 3, a=0.5, b=0.4) == [PAUSE, PAUSE]
    assert asha.on_report("c", 1, 0.1).decision is PAUSE
    asha.on_end("c", complete=True)
    assert next_trials(asha, new_available=False) == ["a"]
    asha.on_end("a", complete=True)
    assert next_trials(asha, new_available=False) == []


def test_another_goes_on_where_the_last_one_failed() -> None:
    asha = ASHA(9)
    report(asha, 1, a=0.5, b=0.4)
    assert next_trials(asha, new_available=False) == ["a"]
    asha.on_end("a", complete=False)
    assert next_trials(asha, new_available=False) == ["b"]


class Paper:
    """Algorithm 2 as it is printed, with one bracket: rungs as lists, searched through each time."""

    def __init__(self, rungs: list[int], factor: int) -> None:
        self.rungs, self.factor = rungs, factor
        self.results: list[list[tuple[float, int, str]]] = [[] for _ in rungs]
        self.promoted: list[set[str]] = [set() for _ in rungs]

    def get_job(self) -> tuple[str, int] | None:
        """The trial and the rung it is promoted from; None: a new one."""
        for k in reversed(range(len(self.rungs))):
            top = sorted(self.results[k], reverse=True)[: len(self.results[k]) // self.factor]
            promotable = [trial for _, _, trial in top if trial not in self.promoted[k]]
            if promotable:
                self.promoted[k].add(promotable[0])
                return promotable[0], k
        return None

    def take_in(self, trial: str, k: int, score: float) -> None:
        self.results[k].append((score, -len(self.results[k]), trial))


@pytest.mark.parametrize("seed", range(8))
def test_it_runs_what_the_paper_runs(seed: int) -> None:
    rng = random.Random(seed)
    factor, slots = rng.choice([2, 3, 4]), rng.choice([1, 2, 7])
    asha, paper = ASHA(factor**4, 1, factor), Paper([factor**k for k in range(4)], factor)
    rung_of: dict[str, int] = {}  # the next one of a running trial; 4: the end
    new = 0
    for _ in range(3000):
        if len(rung_of) < slots:
            job, resumption = paper.get_job(), asha.next_to_run(True)
            assert (job and job[0]) == (resumption and resumption.trial)
            if job is None:
                asha.on_start(str(new), {})
            rung_of[job[0] if job else str(new)] = job[1] + 1 if job else 0
            new += job is None
            continue
        trial = rng.choice(sorted(rung_of))
        rung = rung_of.pop(trial)
        score = rng.randrange(40) / 10
        verdict = asha.on_report(trial, factor**rung, score)
        if rung < 4:
            paper.take_in(trial, rung, score)
        if rung == 4:
            asha.on_end(trial, complete=True)
        elif verdict.decision is CONTINUE:
            assert paper.get_job() == (trial, rung), "it goes on only where it would be the next"
            rung_of[trial] = rung + 1
    assert len(paper.results[3]) > 3
    assert new > 300
