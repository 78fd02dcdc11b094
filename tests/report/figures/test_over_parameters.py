"""Slices, contour and parallel coordinates: where trials stand over their parameters."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from drawn_studies import ACCURACY, LOSS, SPACE, Made

from raytune_nn.config.objective import Objective
from raytune_nn.report.figures import contour, parallel, slices
from raytune_nn.report.importance import important
from raytune_nn.space.domains import Choice, LogUniform, Uniform
from raytune_nn.space.space import Space


def searched(objective: Objective = ACCURACY, space: Space = SPACE, trials: int = 40, seed: int = 0) -> Made:
    """The rate decides; every tenth trial diverges, every eleventh fails."""
    made, rng = Made(objective, space), random.Random(seed)
    made.open()
    for number in range(trials):
        params = space.sample(rng)
        value = -abs(math.log10(params["optimizer.lr"]) + 2) + 0.01 * rng.random()
        value = value if objective.maximise else -value
        if number % 10 == 9:
            made.trial(math.nan, end="diverged", params=params, reason="it was nan at epoch 1")
        elif number % 11 == 10:
            made.trial(end="failed", params=params, reason="RuntimeError: out of memory")
        else:
            made.trial(value, params=params)
    made.close()
    return made


def by_path(figure: Any, path: str) -> tuple[list[Any], Any]:
    """The traces of a parameter's slice and its x axis."""
    for number in range(1, 20):
        suffix = "" if number == 1 else str(number)
        axis = figure.layout[f"xaxis{suffix}"]
        if axis.title.text == path:
            return [trace for trace in figure.data if (trace.xaxis or "x") == f"x{suffix}"], axis
    raise AssertionError(path)


def test_a_slice_has_each_trial_at_its_value() -> None:
    made = searched()
    study = made.study()
    traces, axis = by_path(slices.draw(study), "optimizer.lr")
    counted = [trial for trial in study.record.trials.values() if trial.value is not None]
    assert axis.type == "log"
    assert list(traces[0].x) == [trial.params["optimizer.lr"] for trial in counted]
    assert list(traces[0].y) == pytest.approx([trial.value for trial in counted])
    assert list(traces[0].marker.color) == [trial.epochs for trial in counted]
    lost = [trial for trial in study.record.trials.values() if trial.state in ("failed", "diverged")]
    assert list(traces[1].x) == [trial.params["optimizer.lr"] for trial in lost]
    assert max(traces[1].y) < min(traces[0].y), "the worse edge of an accuracy is the lower one"


def test_the_first_slice_is_that_of_the_most_important_parameter() -> None:
    study = searched().study()
    figure = slices.draw(study)
    assert figure is not None
    assert figure.layout.xaxis.title.text == important(study)[0][0] == "optimizer.lr"


def test_options_are_spread_within_their_place_and_conditional_trials_left_out() -> None:
    study = searched().study()
    figure = slices.draw(study)
    traces, axis = by_path(figure, "net.norm")
    assert list(axis.ticktext) == ["null", "true", "batch"]
    for trace in traces:
        assert (np.abs(trace.x - np.round(trace.x)) <= slices.SPREAD).all()
    traces, _ = by_path(figure, "optimizer.momentum")
    have = [trial for trial in study.record.trials.values() if "optimizer.momentum" in trial.params]
    assert sum(len(trace.x) for trace in traces) == len(have) < 40


@pytest.mark.parametrize("objective", [ACCURACY, LOSS])
def test_the_surface_is_best_where_the_best_trials_are(objective: Objective) -> None:
    space = Space({"optimizer.lr": LogUniform(1e-4, 1e-1), "model.dropout": Uniform(0.0, 0.5)})
    figure = contour.draw(searched(objective, space, 200).study())
    assert figure is not None
    surface = figure.data[0]
    assert surface.type == "contour"
    titles = [figure.layout.xaxis.title.text, figure.layout.yaxis.title.text]
    assert sorted(titles) == ["model.dropout", "optimizer.lr"]
    best = surface.z.argmax() if objective.maximise else surface.z.argmin()
    row, column = np.unravel_index(best, surface.z.shape)
    rate = surface.x[column] if titles[0] == "optimizer.lr" else surface.y[row]
    assert 1e-3 < rate < 1e-1, "the best rate is 0.01"
    best_first = surface.colorscale[-1 if objective.maximise else 0][1]
    assert best_first == "#e4572e"
    assert "star" in figure.data[1].marker.symbol


def test_options_make_cells_and_untried_ones_stay_empty() -> None:
    options = Choice(("a", "b", "never"))
    space = Space({"optimizer.lr": LogUniform(1e-4, 1e-1), "model.kind": options})
    made, rng = Made(space=space), random.Random(0)
    made.open()
    for _ in range(60):
        params = {"optimizer.lr": space.sample(rng)["optimizer.lr"], "model.kind": rng.choice(["a", "b"])}
        made.trial(params["optimizer.lr"] * (3 if params["model.kind"] == "a" else 1), params=params)
    figure = contour.draw(made.study())
    assert figure is not None
    surface = figure.data[0]
    assert surface.type == "heatmap"
    assert list(figure.layout.yaxis.ticktext) == ["a", "b", "never"]
    assert np.isnan(surface.z[2]).all()
    assert np.isfinite(surface.z[:2]).all()
    assert surface.z[0].max() > 2 * surface.z[1].max()


def test_no_contour_where_nothing_is_known_to_matter() -> None:
    assert contour.draw(searched(trials=5).study()) is None


def test_each_trial_is_a_line_across_all_axes() -> None:
    study = searched().study()
    figure = parallel.draw(study)
    assert figure is not None
    (lines,) = figure.data
    axes = {dimension.label: dimension for dimension in lines.dimensions}
    assert all(len(axis.values) == 40 for axis in lines.dimensions)
    assert all(axis.range[0] <= min(axis.values) <= max(axis.values) <= axis.range[1] for axis in lines.dimensions)
    trials = list(study.record.trials.values())
    rates = np.log10([trial.params["optimizer.lr"] for trial in trials])
    assert axes["optimizer.lr"].values == pytest.approx(rates, rel=1e-5)
    lacking = [number for number, trial in enumerate(trials) if "optimizer.momentum" not in trial.params]
    momentum = axes["optimizer.momentum"]
    assert momentum.ticktext[0] == parallel.MISSING
    assert {round(float(momentum.values[number]), 6) for number in lacking} == {round(float(momentum.tickvals[0]), 6)}
    value = axes["<b>val_acc</b>"]
    assert "no value" in value.ticktext
    lost = [number for number, trial in enumerate(trials) if trial.state in ("failed", "diverged")]
    known = [number for number in range(40) if number not in lost]
    assert max(value.values[lost]) < min(value.values[known])


def test_of_many_parameters_the_most_important_are_side_by_side() -> None:
    space = Space({"optimizer.lr": LogUniform(1e-4, 1e-1), **{f"model.p{n}": Uniform(0, 1) for n in range(20)}})
    figure = parallel.draw(searched(space=space, trials=60).study())
    assert figure is not None
    labels = [dimension.label for dimension in figure.data[0].dimensions]
    assert len(labels) == parallel.MOST + 1
    assert "optimizer.lr" in labels


def test_trials_that_have_not_reported_yet_say_nothing() -> None:
    made = Made(space=SPACE)
    made.open()
    for number in range(3):
        made.suggest(SPACE.sample(random.Random(number)))
    for module in (slices, contour, parallel):
        assert module.draw(made.study()) is None


def test_one_trial_or_constant_parameters_have_no_figure() -> None:
    made = Made(space=Space({"a.b": Uniform(0, 1)}))
    made.open()
    made.trial(0.5, params={"a.b": 0.5})
    for module in (slices, contour, parallel):
        assert module.draw(made.study()) is None
    made.trial(0.6, params={"a.b": 0.5})
    for module in (slices, contour, parallel):
        assert module.draw(made.study()) is None
