"""ASHA's rungs, arguments and brackets; without promotion, its decisions against those worked out by hand."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.search.asha import ASHA
from raytune_nn.search.scheduler import Decision, Verdict

CONTINUE, STOP = Decision.CONTINUE, Decision.STOP
StoppingASHA = partial(ASHA, promote=False)


def decisions_at(asha: ASHA, step: int, scores: list[float]) -> list[Decision]:
    """One fresh trial a score, each reporting at the same step."""
    return [asha.on_report(f"{step}-{i}", step, score).decision for i, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("arguments", "rungs"),
    [
        ((243, 1, 3), (1, 3, 9, 27, 81, 243)),
        ((243, 2, 3), (2, 6, 18, 54, 162)),
        ((243, 1, 4), (1, 4, 16, 64)),
        ((100, 1, 3), (1, 3, 9, 27, 81)),
        ((10**15, 1, 10), tuple(10**k for k in range(16))),
        ((1, 1, 3), (1,)),
        ((5, 5, 2), (5,)),
    ],
)
def test_rungs_are_exact_and_the_last_epoch_decides_nothing(
    arguments: tuple[int, int, int], rungs: tuple[int, ...]
) -> None:
    asha = ASHA(*arguments)
    assert asha.rungs == rungs
    assert asha.decision_steps == set(rungs) - {arguments[0]}


def test_a_power_of_the_factor_has_all_its_rungs() -> None:
    for factor in (2, 3, 4, 5, 7, 10):
        for power in range(1, 13):
            assert len(ASHA(factor**power, 1, factor).rungs) == power + 1


def test_the_best_third_goes_on() -> None:
    # n:      1    2    3    4    5    6    7    8    9     of n >= 3 results floor(n / 3) go on
    scores = [0.5, 0.4, 0.3, 0.6, 0.5, 0.55, 0.7, 0.6, 0.58]
    # best:   -    -    .5   .6   .6   .55   .6   .6   .6   the score to reach, the result itself included
    expected = [CONTINUE, CONTINUE, STOP, CONTINUE, STOP, CONTINUE, CONTINUE, CONTINUE, STOP]
    assert decisions_at(StoppingASHA(9), 1, scores) == expected


def test_the_reason_names_the_score_to_reach() -> None:
    asha = StoppingASHA(9)
    decisions_at(asha, 1, [0.9, 0.8, 0.1, 0.2, 0.3])
    assert asha.on_report("sixth", 1, 0.7).words() == "stopped at rung 1: 0.7 < 0.8"


def test_the_best_quarter_goes_on_after_a_grace_period() -> None:
    asha = StoppingASHA(50, grace_period=2, reduction_factor=4)
    assert decisions_at(asha, 1, [0.1, 0.2, 0.3, 0.0, -1.0]) == [CONTINUE] * 5
    assert decisions_at(asha, 2, [3.0, 2.0, 1.0, 2.5, 4.0, 3.5, 3.9, 3.9]) == [
        *[CONTINUE] * 3,  # fewer than four
        *[STOP, CONTINUE, STOP, STOP],  # only the best of 4 to 7
        CONTINUE,  # the eighth: the two best of 8 go on, and it shares second place
    ]


def test_each_rung_compares_its_own_results_only() -> None:
    asha = StoppingASHA(27)
    assert decisions_at(asha, 1, [0.9, 0.8, 0.7]) == [CONTINUE, CONTINUE, STOP]
    assert asha.on_report("1-0", 3, 0.1).decision is CONTINUE
    assert asha.on_report("1-1", 3, 0.2).decision is CONTINUE
    assert decisions_at(asha, 1, [1.0])[0] is CONTINUE
    assert asha.on_report("1-0", 9, 0.0).decision is CONTINUE, "the first in rung 9"


def test_ties_share_the_better_rank() -> None:
    assert decisions_at(StoppingASHA(9), 1, [0.5] * 7) == [CONTINUE] * 7
    # Six results, two go on: 0.4 stands behind three that tie for first.
    assert decisions_at(StoppingASHA(9), 1, [0.5, 0.5, 0.5, 0.3, 0.3, 0.4]) == [*[CONTINUE] * 3, *[STOP] * 3]


def test_nothing_is_decided_between_rungs_or_at_the_end() -> None:
    asha = StoppingASHA(9)
    for step, last in [(1, STOP), (3, STOP), (9, CONTINUE), (12, CONTINUE)]:
        assert decisions_at(asha, step, [0.9, 0.8, 0.7])[-1] is last
    asha.on_report("late", 3, 1.0)
    assert all(asha.on_report("late", step, -5.0).decision is CONTINUE for step in range(4, 13))


def test_the_first_report_after_a_skipped_rung_counts_for_it() -> None:
    asha = StoppingASHA(27)
    decisions_at(asha, 1, [0.9, 0.8])
    assert asha.on_report("skips", 2, 0.7).words() == "stopped at rung 1: 0.7 < 0.9"
    assert asha.on_report("passes", 2, 1.0).decision is CONTINUE
    assert asha.on_report("passes", 3, 0.5).decision is CONTINUE, "the first in rung 3"


def test_a_report_that_skips_several_rungs_is_judged_from_the_lowest() -> None:
    asha = StoppingASHA(27)
    decisions_at(asha, 1, [0.3, 0.2])
    decisions_at(asha, 3, [0.5, 0.6])  # both enter rung 1 as well
    assert asha.on_report("low", 5, 0.1).words() == "stopped at rung 1: 0.1 < 0.6"
    # Rung 1 holds .6 .5 .3 .2 .1 and lets the best two of six pass; rung 3 holds .6 .5 and lets one of three.
    assert asha.on_report("middle", 5, 0.55).words() == "stopped at rung 3: 0.55 < 0.6"
    assert asha.on_report("high", 5, 0.7) == Verdict(CONTINUE)


def test_a_stopped_trial_is_answered_the_same_again_and_counted_once() -> None:
    asha = StoppingASHA(9)
    decisions_at(asha, 1, [0.9, 0.8])
    first = asha.on_report("c", 1, 0.7)
    assert [asha.on_report("c", 1, score) for score in (0.7, 5.0)] == [first, first]
    assert first.words() == "stopped at rung 1: 0.7 < 0.9"
    # Had the repeats been counted, 5.0 would be ahead of this fourth result.
    assert asha.on_report("d", 1, 1.0).decision is CONTINUE


def test_a_restarted_trial_does_not_enter_a_rung_twice() -> None:
    asha = StoppingASHA(9)
    asha.on_report("a", 1, 0.5)
    asha.on_report("a", 2, 0.5)
    asha.on_end("a", complete=False)
    for _ in range(5):
        asha.on_report("a", 1, 9.0)
    assert decisions_at(asha, 1, [0.4, 0.6]) == [CONTINUE, CONTINUE], "the second and third result"


@pytest.mark.parametrize(
    ("arguments", "rule", "fix"),
    [
        ({"max_epochs": 0}, "max_epochs must be an integer of at least 1", "budget.max_epochs=27"),
        ({"max_epochs": True}, "max_epochs must be an integer", "budget.max_epochs=27"),
        ({"grace_period": 0}, "grace_period must be an integer", "search.scheduler.grace_period=1"),
        ({"grace_period": 1.5}, "grace_period must be an integer", "search.scheduler.grace_period=1"),
        ({"grace_period": 10}, "grace_period must not exceed max_epochs", "search.scheduler.grace_period=1"),
        ({"reduction_factor": 1}, "reduction_factor must be", "search.scheduler.reduction_factor=3"),
        ({"reduction_factor": "3"}, "reduction_factor must be", "search.scheduler.reduction_factor=3"),
        ({"brackets": 0}, "brackets must be an integer", "search.scheduler.brackets=1"),
        ({"brackets": 4}, "brackets must not outnumber its rungs", "search.scheduler.brackets=3"),
    ],
)
def test_bad_arguments_are_refused_with_the_override_that_mends_them(
    arguments: dict[str, Any], rule: str, fix: str
) -> None:
    with pytest.raises(ConfigError, match=rule) as caught:
        ASHA(**{"max_epochs": 9, **arguments})
    assert caught.value.fix == fix
    [(name, value)] = arguments.items()
    assert f"{name}={value!r}" in str(caught.value)


def test_the_plan_names_the_rungs_that_decide() -> None:
    assert ASHA(9).describe() == "ASHA: up to 9, pauses at 1, 3 until in the best 1/3 there"
    assert ASHA(9, brackets=2).describe().endswith("there; 2 brackets")
    assert StoppingASHA(9).describe() == "ASHA: up to 9, goes on at 1, 3 if in the best 1/3 there"
    assert "nothing is stopped" in ASHA(1).describe()


def test_only_promotion_pauses() -> None:
    assert ASHA(9).pauses
    assert not StoppingASHA(9).pauses


@pytest.mark.parametrize("brackets", [1, 2, 5])
def test_brackets_share_the_trials_as_hyperband_does(brackets: int) -> None:
    sizes = {1: 81, 3: 34, 9: 15, 27: 8, None: 5}  # by first rung: Li et al. 2018, with R = 81
    shares = dict(list(sizes.items())[:brackets])
    asha = ASHA(81, brackets=brackets)
    first_pauses: list[int | None] = []
    for i in range(2 * sum(shares.values())):
        asha.on_start(f"{i}", {})
        # Worse and worse: nobody is in the best third where it pauses.
        verdicts = ((step, asha.on_report(f"{i}", step, -float(i))) for step in (1, 3, 9, 27, 81))
        first_pauses.append(next((step for step, verdict in verdicts if verdict.decision is Decision.PAUSE), None))
    assert Counter(first_pauses) == {step: 2 * size for step, size in shares.items()}
    assert Counter(first_pauses[: len(first_pauses) // 2]) == shares


def test_brackets_compare_their_own_trials_only() -> None:
    asha = StoppingASHA(9, brackets=2)  # sizes 9 and 5: the first, third, fifth, … trials begin in the first one
    bracket = [0, 1, 0, 0, 1, 0]
    for i, first_rung in enumerate(bracket):
        asha.on_start(f"{i}", {})
        verdict = asha.on_report(f"{i}", 1, 1.0 if first_rung else -i)
        assert verdict.decision is (STOP if i in (3, 5) else CONTINUE), f"{i}"
    assert asha.on_report("1", 3, -9.0).decision is CONTINUE
    assert asha.on_report("4", 3, -9.5).decision is CONTINUE
