"""The optimisation history: where each trial's value stands, and the best so far."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from drawn_studies import ACCURACY, FOLDS, LOSS, Made, named, numbers, settings
from hypothesis import given
from hypothesis import strategies as st

from raytune_nn.config.schema import Take
from raytune_nn.report.figures.history import draw, running_best
from raytune_nn.report.figures.reading import points

ENDS = st.sampled_from(["complete", "stopped", "failed", "diverged", None])
TRIALS = st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=4), ENDS), min_size=1, max_size=8)


def visible_x(figure: object, button: int) -> list[bool]:
    return list(figure.layout.updatemenus[0].buttons[button].args[0]["visible"])  # type: ignore[attr-defined]


def test_each_trial_stands_where_it_reached_its_value() -> None:
    made = Made()
    made.open()
    made.trial(0.5, 0.7, 0.6)
    made.trial(0.4)
    study = made.study()
    marks = named(draw(study), "complete")
    assert numbers(marks.y) == [0.7, 0.4]
    reports = [event for event in made.events if event["type"] == "reported"]
    times = [event["time"] for event in reports if event["metrics"]["val_acc"] in (0.7, 0.4)]
    assert numbers(marks.x) == [time - made.events[0]["time"] for time in times]


def test_buttons_switch_to_epochs_and_to_the_cost() -> None:
    made = Made(config=settings(gpus=0.5, workers=4))
    made.open()
    made.trial(0.5, 0.7)
    made.trial(0.4, 0.8, 0.6)
    figure = draw(made.study())
    assert figure is not None
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["time", "epochs", "cost"]
    marks = [trace for trace in figure.data if trace.name == "complete"]
    assert numbers(marks[1].x) == [2.0, 4.0]
    assert numbers(marks[2].x) == [2 * 2.0, 2 * 4.0], "a trial holds two GPUs, and an epoch takes a second"
    assert figure.layout.updatemenus[0].buttons[2].args[1]["xaxis.title.text"] == "cost (GPU-s)"
    for button in range(3):
        shown = [trace.name for trace, seen in zip(figure.data, visible_x(figure, button), strict=True) if seen]
        assert shown == ["complete", "best so far"]


@given(TRIALS, st.sampled_from([ACCURACY, LOSS, replace(ACCURACY, take=Take.last), FOLDS]))
def test_the_best_so_far_only_gets_better_and_ends_at_the_best_trial(
    trials: list[tuple[list[int], str | None]], objective: object
) -> None:
    made = Made(objective)  # type: ignore[arg-type]
    made.open()
    for values, end in trials:
        if end is None:
            continue
        made.trial(*map(float, values), end=end)
    made.close()
    study = made.study()
    read = points(study)
    best = read.values[running_best(read), 0]
    scores = best if study.record.objective.maximise else -best
    assert (np.diff(scores) > 0).all()
    assert (list(best[-1:]) == [study.record.best.value]) if study.record.best is not None else not len(best)


def test_what_is_without_a_value_is_marked_at_the_worse_edge() -> None:
    made = Made(LOSS)
    made.open()
    made.trial(1.0, 2.0)
    made.trial(1.5, math.nan, end="diverged", reason="val_loss was nan at epoch 2")
    made.trial(end="failed", reason="ValueError: a < b")
    figure = draw(made.study())
    assert figure is not None
    edge = named(figure, "diverged").y[0]
    assert 1.0 < edge <= max(figure.layout.yaxis.range), "a high loss is bad, so the edge is at the top"
    assert list(named(figure, "failed").y) == [edge]
    assert "ValueError: a &lt; b" in named(figure, "failed").text[0]
    assert numbers(named(figure, "best so far").y) == [1.0, 1.0]


def test_time_between_two_commands_does_not_count() -> None:
    made = Made()
    made.open()
    made.trial(0.5)
    made.now += 1e6
    made.open()
    made.trial(0.6)
    figure = draw(made.study())
    assert figure is not None
    assert numbers(named(figure, "complete").x)[1] < 20
    (line,) = [trace for trace in figure.data if trace.hovertemplate.startswith("another command") and trace.visible]
    assert line.x[0] == line.x[1] == pytest.approx(numbers(named(figure, "complete").x)[0])


def test_a_study_of_failures_only_still_says_so() -> None:
    made = Made()
    made.open()
    made.trial(end="failed", reason="RuntimeError: no")
    figure = draw(made.study())
    assert figure is not None
    assert figure.layout.annotations[0].text == "no trial has a finite value"
    assert list(named(figure, "failed").x) == [0.0]


def test_nothing_is_drawn_of_nothing() -> None:
    made = Made()
    made.open()
    made.suggest({"a": 1})
    assert draw(made.study()) is None
