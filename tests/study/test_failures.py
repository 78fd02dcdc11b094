"""Which failed trials are tried again, and when failures end a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hand_study import OBJECTIVE, Heard, conduct, make_plan, make_settings, report, start, states, train

from raytune_nn.config.schema import FailuresConfig
from raytune_nn.errors import ConfigError
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.failures import check_failures
from raytune_nn.study.resume import is_finished

ALIKE = 'Traceback (most recent call last):\n  File "/mine.py", line 7, in step\n    x\nValueError: 3 of 4\n'


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


def lose(conductor: Conductor, trial: str, **how: Any) -> str:
    """One attempt that is lost; the trial's state afterwards."""
    conductor.ended(trial, "words\nlost", lost=True, **how)
    return conductor.record.trials[trial].state


def test_a_lost_process_is_tried_again_and_an_exception_is_not(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=2, max_retries=1, retry_exceptions=False))
    train(conductor, error=ALIKE)
    assert states(conductor) == ["failed"]
    trial = start(conductor)
    assert lose(conductor, trial) == "waiting"
    assert start(conductor) == trial
    assert lose(conductor, trial) == "failed"
    assert conductor.record.trials[trial].reason == "lost"
    (failed, lost) = conductor.record.causes.of_failures
    assert (str(failed.diagnosis), failed.retries) == ("ValueError: 3 of 4 (mine.py:7, step)", 0)
    assert (str(lost.diagnosis), lost.count, lost.retries) == ("lost", 1, 1)


def test_a_loss_that_does_not_count_is_tried_again_whatever_came_before(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=1, max_retries=1))
    trial = start(conductor)
    for _ in range(3):
        assert lose(conductor, trial, counts=False) == "waiting"
        start(conductor)
    assert conductor.record.trials[trial].retries == 0
    conductor.close(interrupted=True)
    conductor = conduct(folder, make_plan(num_trials=1, max_retries=1))
    start(conductor)
    assert lose(conductor, trial) == "waiting"
    start(conductor)
    assert lose(conductor, trial) == "failed"


def test_the_journal_has_reason_place_and_a_traceback_of_bounded_length(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(num_trials=1), heard)
    train(conductor, error=ALIKE + "x" * 10**7)
    (ended,) = [event for event in heard if event["type"] == "ended"]
    assert (ended["reason"], ended["place"]) == ("ValueError: 3 of 4", "mine.py:7, step")
    assert len(ended["error"]) < 20_000
    replayed = StudyRecord.fold(OBJECTIVE, read_journal(folder.journal))
    assert [cause.diagnosis for cause in replayed.causes.of_failures] == [
        cause.diagnosis for cause in conductor.record.causes.of_failures
    ]


def fail_all(conductor: Conductor, most: int = 20) -> int:
    """Trials that fail alike until the study ends."""
    count = 0
    while not conductor.finished and count < most:
        train(conductor, error=ALIKE.replace("3", str(count)))
        count += 1
    return count


def test_a_study_whose_first_trials_fail_alike_ends(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=9, stop_after=3))
    assert fail_all(conductor) == 3
    assert conductor.ending == "failures.stop_after=3: the first 3 all failed alike"
    conductor.close(interrupted=False)
    assert (conductor.record.status, conductor.record.reason) == ("failed", conductor.ending)


@pytest.mark.parametrize("stop_after", [None, 10])
def test_a_study_of_fewer_trials_or_without_limit_goes_on(stop_after: int | None, folder: StudyFolder) -> None:
    assert fail_all(conduct(folder, make_plan(num_trials=9, stop_after=stop_after))) == 9


def test_other_causes_do_not_add_up(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=9, stop_after=3))
    train(conductor, error=ALIKE)
    train(conductor, error=ALIKE.replace("ValueError", "TypeError"))
    assert fail_all(conductor) == 7, "once the first do not fail alike, it never ends for failures"


def test_where_any_trial_had_a_value_the_study_goes_on(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=9, stop_after=3))
    train(conductor, 0.5, error=ALIKE)
    assert fail_all(conductor) == 8


def test_a_slow_trial_among_the_first_is_waited_for(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=9, stop_after=3))
    slow = start(conductor)
    for _ in range(4):
        train(conductor, error=ALIKE)
    assert not conductor.ending
    conductor.ended(slow, ALIKE)
    assert conductor.ending


def test_a_trial_that_has_not_begun_is_not(folder: StudyFolder) -> None:
    """Its slot may be the one that starts slowly."""
    conductor = conduct(folder, make_plan(num_trials=9, stop_after=3))
    assert conductor.next_task() is not None
    assert fail_all(conductor) == 3


def test_attempts_that_are_tried_again_do_not_end_it(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=9, stop_after=2, max_retries=2))
    for _ in range(5):
        train(conductor, error=ALIKE)
    assert not conductor.ending
    train(conductor, error=ALIKE)
    assert conductor.ending


def test_the_same_command_goes_on_with_what_is_left(folder: StudyFolder) -> None:
    """The module may be mended; if it is not, the study ends after as many trials again."""
    plan = make_plan(num_trials=9, stop_after=3)
    conductor = conduct(folder, plan)
    running = [start(conductor) for _ in range(5)]
    for trial in running[:3]:
        conductor.ended(trial, ALIKE)
    conductor.close(interrupted=False)
    assert states(conductor) == ["failed"] * 3 + ["running"] * 2
    assert not is_finished(conductor.record, plan.settings)

    conductor = conduct(folder, make_plan(num_trials=9, stop_after=3))
    assert fail_all(conductor) == 3
    assert states(conductor) == ["failed"] * 6
    conductor.close(interrupted=False)
    assert not is_finished(conductor.record, plan.settings), "trials are left"
    assert is_finished(conductor.record, make_settings(num_trials=6))

    conductor = conduct(folder, make_plan(num_trials=9, stop_after=3))
    for _ in range(3):
        trial = start(conductor)
        conductor.reported(trial, report(1, 0.5))
        conductor.ended(trial)
    conductor.close(interrupted=False)
    assert conductor.record.status == "complete"
    assert states(conductor) == ["failed"] * 6 + ["complete"] * 3


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("max_retries", -1, "failures.max_retries=0"),
        ("no_report_timeout", 0, "failures.no_report_timeout=3600"),
        ("no_report_timeout", float("nan"), "failures.no_report_timeout=3600"),
        ("no_report_timeout", float("inf"), "failures.no_report_timeout=3600"),
        ("stop_after", 0, "failures.stop_after=5"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(key: str, value: float, fix: str) -> None:
    fine: dict[str, Any] = {"max_retries": 0, "retry_exceptions": False, "no_report_timeout": None, "stop_after": None}
    check_failures(FailuresConfig(**fine))
    with pytest.raises(ConfigError) as raised:
        check_failures(FailuresConfig(**fine | {key: value}))
    assert raised.value.fix == fix
    assert raised.value.found is value
