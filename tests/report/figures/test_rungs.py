"""Rungs: who reached each, with what, and who went on; against a count of the journal itself."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from drawn_studies import LOSS, Made, drive, settings

from raytune_nn.report.figures.reading import points
from raytune_nn.report.figures.rungs import LOST, STAYED, WENT_ON, draw, read_rungs
from raytune_nn.search.asha import ASHA


def climbed(promote: bool = True, **more: Any) -> Made:
    """A study of 40 trials over rungs 1, 3 and 9 of 27 epochs."""
    config = settings({"grace_period": 1, "reduction_factor": 3, "max_epochs": 27, "brackets": 1, **more})
    made, rng = Made(LOSS, config=config), random.Random(0)
    params = [{"x": rng.random()} for _ in range(40)]
    scheduler = ASHA(max_epochs=27, promote=promote, **more)
    drive(made, scheduler, params, lambda p, epoch: p["x"] + 1 / epoch, 27)
    return made


@pytest.mark.parametrize("promote", [True, False])
def test_each_rung_has_the_trials_that_reported_there(promote: bool) -> None:
    made = climbed(promote)
    study = made.study()
    reports = [event for event in made.events if event["type"] == "reported"]
    rungs = read_rungs(study, points(study))
    assert [rung.step for rung in rungs] == [1, 3, 9, 27]
    for rung in rungs:
        there = {event["trial"]: event["metrics"]["val_loss"] for event in reports if event["epoch"] == rung.step}
        beyond = {event["trial"] for event in reports if event["epoch"] > rung.step}
        assert {str(place) for place in rung.rows} == set(there)
        assert rung.count(WENT_ON) == len(beyond) or rung.step == 27
        if rung.step < 27 and len(there) >= 3:
            assert rung.cutoff == sorted(there.values())[len(there) // 3 - 1]
    assert rungs[-1].cutoff is None, "nothing is decided at the end"
    assert rungs[-1].count(WENT_ON) == len(rungs[-1].rows)


def test_the_figure_has_as_many_marks_as_trials_reached_rungs() -> None:
    made = climbed()
    study = made.study()
    figure = draw(study)
    assert figure is not None
    rungs = read_rungs(study, points(study))
    marks = sum(len(trace.x) for trace in figure.data if trace.type == "scatter" and trace.mode == "markers")
    assert marks == sum(len(rung.rows) for rung in rungs)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    heights = zip(*[bar.y for bar in bars], strict=True)
    assert [sum(parts) for parts in heights] == [len(rung.rows) for rung in rungs]
    cutoff = next(trace for trace in figure.data if trace.name == "cutoff: the best 1/3")
    assert cutoff.y[0] == pytest.approx(rungs[0].cutoff)


def test_with_several_brackets_no_cutoff_is_claimed() -> None:
    study = climbed(brackets=2).study()
    assert [rung.cutoff for rung in read_rungs(study, points(study))] == [None] * 4


def test_rungs_are_read_from_the_decisions_where_the_settings_are_of_another_version() -> None:
    made = climbed()
    made.config = None
    study = made.study()
    assert [rung.step for rung in read_rungs(study, points(study))] == [1, 3, 9]


def test_a_trial_that_diverged_there_is_marked_as_lost() -> None:
    made = Made(config=settings({"grace_period": 1, "reduction_factor": 3, "max_epochs": 3, "brackets": 1}))
    made.open()
    made.trial(math.nan, end="diverged", reason="val_acc was nan at epoch 1")
    made.trial(0.5, end="stopped", reason="stopped at rung 1: 0.5 < 0.6")
    study = made.study()
    (rung,) = read_rungs(study, points(study))
    assert (rung.count(LOST), rung.count(STAYED), rung.count(WENT_ON)) == (1, 1, 0)
    figure = draw(study)
    assert figure is not None
    lost = [trace for trace in figure.data if trace.name == LOST and trace.type == "scatter"]
    assert lost[0].y[0] < 0.5


def test_other_schedulers_have_no_rungs() -> None:
    made = Made(config=settings({"grace_period": 1, "min_trials": 5}))
    made.open()
    made.trial(0.5, 0.6)
    made.trial(0.1, end="stopped", reason="stopped at epoch 1: best 0.1 < median 0.5")
    made.trial(0.1, end="failed", reason="ValueError: rung 5 is broken")
    assert draw(made.study()) is None
