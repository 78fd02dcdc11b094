"""A study that winds down: no new work, running trials leave, and what is left over ends with the grace."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_study import conduct, make_plan, report, start, states, train

from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.conductor import Conductor


@pytest.fixture
def conductor(tmp_path: Path) -> Conductor:
    return conduct(StudyFolder(tmp_path / "s"), make_plan(num_trials=3, max_retries=1))


def test_reports_still_count_and_the_study_ends_once_no_trial_runs(conductor: Conductor) -> None:
    first, second = start(conductor), start(conductor)
    waiting = conductor.next_task()
    assert waiting is not None, "handed out, but its slot has not begun"
    conductor.interrupt(60)
    assert conductor.next_task() is None
    assert conductor.reported(first, report(1, 0.5, saved=True)), "it is the training that leaves"
    conductor.left(first)
    assert not conductor.reported(second, report(1, float("nan")))
    conductor.tick()
    assert conductor.ending == "interrupted"
    conductor.close(interrupted=True)
    assert conductor.record.status == "interrupted"
    assert states(conductor) == ["running", "diverged", "waiting"]
    assert conductor.record.trials[first].just_saved


def test_a_trial_that_fails_meanwhile_is_tried_again_by_the_next_command(conductor: Conductor) -> None:
    first, second = start(conductor), start(conductor)
    conductor.interrupt(60)
    conductor.ended(first, "ValueError")
    assert conductor.next_task() is None
    conductor.tick()
    assert conductor.ending == "", "the other one still trains"
    conductor.left(second)
    conductor.tick()
    assert conductor.ending == "interrupted"
    assert states(conductor) == ["waiting", "running"]


def test_what_does_not_leave_is_cut_off_after_the_grace(conductor: Conductor, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    trial = start(conductor)
    conductor.interrupt(20)
    for step, ending in ((19.0, ""), (1.0, "interrupted")):
        now[0] += step
        conductor.tick()
        assert conductor.ending == ending
    assert not conductor.reported(trial, report(1, 0.5)), "too late"


def test_a_study_that_comes_to_its_end_meanwhile_is_complete(conductor: Conductor) -> None:
    train(conductor, 0.5)
    train(conductor, 0.5)
    last = start(conductor)
    conductor.interrupt(60)
    assert conductor.reported(last, report(9, 0.75))
    conductor.ended(last)
    conductor.tick()
    conductor.close(interrupted=True)
    assert (conductor.record.status, conductor.record.reason) == ("complete", "")
