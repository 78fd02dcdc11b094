"""Learning curves: what each trial reported, and the marks of what happened to it."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from drawn_studies import ACCURACY, FOLDS, TWO, Made, drive, named, numbers

from raytune_nn.report.figures import learning_curves
from raytune_nn.report.figures.learning_curves import draw, thinned
from raytune_nn.report.figures.reading import points
from raytune_nn.search.asha import ASHA
from raytune_nn.search.pbt import PBT
from raytune_nn.space.domains import LogUniform
from raytune_nn.space.space import Space


def curves(figure: object) -> list[tuple[int, int, float]]:
    """Trial, epoch and value of all points of visible lines."""
    found = []
    for trace in figure.data:  # type: ignore[attr-defined]
        if "lines" in trace.mode and trace.visible in (None, True):
            rows = zip(trace.customdata, trace.x, trace.y, strict=True)
            found += [(int(trial), int(epoch), float(y)) for trial, epoch, y in rows if not math.isnan(y)]
    return found


def reported(made: Made, metric: str = "val_acc") -> list[tuple[int, int, float]]:
    events = [event for event in made.events if event["type"] == "reported"]
    return [(int(event["trial"]), event["epoch"], event["metrics"][metric]) for event in events]


def some_asha() -> Made:
    made, rng = Made(), random.Random(0)
    params = [{"optimizer.lr": rng.random()} for _ in range(20)]
    drive(made, ASHA(max_epochs=9), params, lambda p, epoch: p["optimizer.lr"] * (1 - 1 / (1 + epoch)), 9)
    return made


def test_the_points_are_those_of_the_journal() -> None:
    made = some_asha()
    figure = draw(made.study())
    drawn, told = sorted(curves(figure)), sorted(reported(made))
    assert [row[:2] for row in drawn] == [row[:2] for row in told]
    assert [row[2] for row in drawn] == pytest.approx([row[2] for row in told], rel=1e-6)


def test_curves_of_two_trials_are_not_joined() -> None:
    made = Made()
    made.open()
    made.trial(0.1, 0.2, end="stopped")
    made.trial(0.3, 0.4, end="stopped")
    made.trial(0.9)
    line = next(trace for trace in draw(made.study()).data if trace.name == "stopped")  # type: ignore[union-attr]
    assert list(np.isnan(line.y)) == [False, False, True, False, False]


def test_marks_say_who_was_promoted_and_who_stayed() -> None:
    made = some_asha()
    figure = draw(made.study())
    promoted = [event["trial"] for event in made.events if event["type"] == "resumed"]
    marks = named(figure, "promoted")
    assert len(marks.x) == len(promoted) > 0
    assert all("promoted at epoch" in text and "paused at rung" in text for text in marks.text)
    ended = [event for event in made.events if event["type"] == "ended"]
    states = {trace.name: len(trace.x) for trace in figure.data if trace.mode == "markers"}  # type: ignore[union-attr]
    assert states["stopped"] + states["complete"] == len(ended) == 20
    assert "paused" not in states, "all of them were stopped or promoted in the end"


def test_a_pause_without_an_end_is_a_pause() -> None:
    made = Made()
    made.open()
    trial = made.suggest()
    made.tell("started", trial=trial)
    made.report(trial, 1, 0.5, saved=True, rung=1)
    made.tell("decided", trial=trial, epoch=1, decision="pause", reason="paused at rung 1: 0.5 is number 1 of 1")
    marks = [t for t in draw(made.study()).data if t.mode == "markers"]  # type: ignore[union-attr]
    assert [(mark.name, list(mark.x), list(mark.y)) for mark in marks] == [("paused", [1], [0.5])]


def test_a_diverged_trial_is_marked_at_its_last_finite_value() -> None:
    made = Made()
    made.open()
    made.trial(0.5, 0.6, math.inf, end="diverged", reason="val_acc was inf at epoch 3")
    made.trial(math.nan, end="diverged", reason="val_acc was nan at epoch 1")
    marks = [trace for trace in draw(made.study()).data if trace.name == "diverged" and trace.mode == "markers"]  # type: ignore[union-attr]
    assert list(marks[0].x) == [3, 1]
    assert marks[0].y[0] == pytest.approx(0.6)
    assert marks[0].y[1] < 0.5, "no value at all: at the worse edge"


def test_a_restarted_trial_has_a_gap_and_a_mark() -> None:
    made = Made()
    made.open()
    trial = made.suggest()
    made.tell("started", trial=trial)
    made.report(trial, 1, 0.5)
    made.report(trial, 2, 0.6)
    made.tell("retried", trial=trial, error="x", reason="lost its process")
    made.tell("started", trial=trial)
    made.report(trial, 1, 0.5)
    made.tell("ended", trial=trial, state="complete", reason="")
    figure = draw(made.study())
    line = next(trace for trace in figure.data if "lines" in trace.mode)  # type: ignore[union-attr]
    assert list(np.isnan(line.y)) == [False, False, True, False]
    assert "lost its process" in named(figure, "tried again").text[0]


def test_a_member_that_copied_goes_on_from_elsewhere() -> None:
    made, rng = Made(), random.Random(1)
    space = Space({"optimizer.lr": LogUniform(1e-4, 1e-1)})
    params = [space.sample(rng) for _ in range(8)]
    drive(made, PBT(8, 9, 3, space=space), params, lambda p, epoch: p["optimizer.lr"] * epoch, 9)
    figure = draw(made.study())
    copies = [event for event in made.events if event["type"] == "resumed" and event["source"] is not None]
    assert len(named(figure, "copied").x) == len(copies) > 0
    assert figure is not None
    lines = [trace for trace in figure.data if "lines" in trace.mode]
    assert sum(int(np.isnan(line.y).sum()) + 1 for line in lines) == 8 + len(copies)


def test_of_many_points_the_first_the_last_the_best_and_gaps_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    made, rng = Made(), random.Random(2)
    made.open()
    for _ in range(5):
        values = [rng.random() for _ in range(200)]
        values[rng.randrange(200)] = 2.0
        made.trial(*values)
    monkeypatch.setattr(learning_curves, "MOST", 50)
    drawn = curves(draw(made.study()))
    read = points(made.study())
    for place in range(5):
        told = [row for row in reported(made) if row[0] == place]
        kept = [row for row in drawn if row[0] == place]
        assert 10 <= len(kept) <= 14
        assert {1, 200, max(told, key=lambda row: row[2])[1]} <= {epoch for _, epoch, _ in kept}
        assert len(thinned(read, place, 1000, 0)) == 200


def test_several_metrics_have_a_button_each() -> None:
    made = Made(TWO)
    made.open()
    made.trial((0.5, 3.0), (0.6, 2.0))
    figure = draw(made.study())
    assert figure is not None
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["val_acc", "val_loss"]
    shown = [trace for trace, seen in zip(figure.data, buttons[1].args[0]["visible"], strict=True) if seen]
    assert numbers(shown[0].y) == [3.0, 2.0]
    assert "lower is better" in buttons[1].args[1]["yaxis.title.text"]


def test_folds_are_named_at_the_axis() -> None:
    made = Made(FOLDS)
    made.open()
    made.trial(0.5, 0.6)
    figure = draw(made.study())
    assert figure is not None
    assert "2 folds" in figure.layout.xaxis.title.text


def test_the_best_trial_stands_out_and_no_trial_has_a_legend_of_its_own() -> None:
    made = Made(ACCURACY)
    made.open()
    for number in range(30):
        made.trial(number / 100, 0.5 if number == 7 else 0.1)
    made.close()
    figure = draw(made.study())
    assert figure is not None
    names = {trace.name for trace in figure.data if trace.showlegend is not False}
    assert names == {"complete", "best: trial 7"}
    assert {row[0] for row in curves(figure)} == set(range(30))
