"""The table of failures at the end of a study."""

from __future__ import annotations

import pytest
from made_records import Told

from raytune_nn.report.failures import failures

FRAME = '  File "/home/me/mine.py", line 7, in step\n    1 / 0\n'
TRACEBACK = f"Traceback (most recent call last):\n{FRAME}"


@pytest.fixture
def told() -> Told:
    told = Told()
    told.open()
    return told


def fail(told: Told, reason: str, state: str = "ended", place: str = "mine.py:7, step") -> None:
    trial = str(len(told.record.trials))
    told.tell("suggested", trial=trial, params={})
    told.tell("started", trial=trial)
    why = {
        "reason": reason.partition("\n")[0],
        "place": place,
        "error": f"{TRACEBACK}{reason}\n" if place else f"long\n{reason}",
    }
    told.tell(state, trial=trial, **why, **({"state": "failed"} if state == "ended" else {}))


def test_failures_are_grouped_by_cause_with_the_first_traceback_of_each(told: Told) -> None:
    fail(told, "KeyError: 'x'")
    for number in range(7):
        fail(told, f"ValueError: {number} of 9")
    told.add(0.5)
    assert failures(told.record).splitlines() == [
        "",
        "what went wrong",
        "  7 times: ValueError: 0 of 9 (mine.py:7, step)  (trials 1, 2, 3, 4, 5, …)",
        "    Traceback (most recent call last):",
        '      File "/home/me/mine.py", line 7, in step',
        "        1 / 0",
        "    ValueError: 0 of 9",
        "  1 time: KeyError: 'x' (mine.py:7, step)  (trial 0)",
        "    Traceback (most recent call last):",
        '      File "/home/me/mine.py", line 7, in step',
        "        1 / 0",
        "    KeyError: 'x'",
    ]


def test_what_was_tried_again_is_said_too(told: Told) -> None:
    fail(told, "the trial's process died", "retried", place="")
    told.add(0.5)
    assert failures(told.record).splitlines() == [
        "",
        "tried again",
        "  1 time: the trial's process died  (trial 0)",
    ]


def test_nothing_is_said_where_nothing_went_wrong(told: Told) -> None:
    told.add(0.5)
    assert failures(told.record) == ""


def test_many_causes_are_a_few_lines(told: Told) -> None:
    for name in "abcdefghijklm":
        fail(told, f"Error{name}", place="")
    lines = failures(told.record).splitlines()
    assert lines[-1] == "  3 times: other causes, listed in summary.json"
    assert sum(line.startswith("  1 time: ") for line in lines) == 10


def test_a_thousand_failed_trials_are_one_line_a_cause(told: Told) -> None:
    for number in range(1000):
        fail(told, f"E: {number}", place="")
    assert [line for line in failures(told.record).splitlines() if "time" in line] == [
        "  1000 times: E: 0  (trials 0, 1, 2, 3, 4, …)"
    ]


def test_a_long_traceback_is_cut_in_its_middle(told: Told) -> None:
    fail(told, "\n".join(["E: long", *(f"line {number} {'x' * 1000}" for number in range(50))]))
    lines = failures(told.record).splitlines()
    assert [line[:11].strip() for line in lines[-9:]] == ["… 34 li", *(f"line {number}" for number in range(42, 50))]
    assert all(len(line) <= 310 for line in lines[3:])
