"""The importance of parameters: what Optuna says of drawn studies, and what is said where it can say nothing."""

from __future__ import annotations

import random

import pytest
from drawn_studies import ACCURACY, LOSS, SPACE, TWO, Made

from raytune_nn.config.objective import Objective
from raytune_nn.report.figures.importances import draw
from raytune_nn.report.importance import LEAST, importances, important, unclear
from raytune_nn.space.domains import Choice, LogUniform, QUniform, Uniform
from raytune_nn.space.space import Space

PLAIN = Space(
    {
        "optimizer.lr": LogUniform(1e-4, 1e-1),
        "model.a": Uniform(0, 1),
        "model.b": QUniform(0, 1, 0.25),
        "model.c": Choice((True, [1], "x")),
    }
)


def searched(trials: int, objective: Objective = ACCURACY, space: Space | None = PLAIN, seed: int = 0) -> Made:
    made, rng = Made(objective, space), random.Random(seed)
    made.open()
    for _ in range(trials):
        params = PLAIN.sample(rng)
        value = params["optimizer.lr"] ** 0.2 + 0.3 * params["model.a"] + 0.02 * rng.random()
        made.trial(value if objective.maximise else -value, params=params)
    return made


@pytest.mark.parametrize("objective", [ACCURACY, LOSS])
@pytest.mark.parametrize("space", [PLAIN, None])
def test_what_decides_comes_first_and_shares_add_up_to_one(objective: Objective, space: Space | None) -> None:
    study = searched(200, objective, space).study()
    found = important(study)
    assert {found[0][0], found[1][0]} == {"optimizer.lr", "model.a"}
    assert sum(mean for _, mean, _ in found) == pytest.approx(1.0)
    assert all(0 <= spread < 0.5 for *_, spread in found)
    assert unclear(study) == ""


def test_more_trials_leave_less_open() -> None:
    spreads = [important(searched(trials).study())[0][2] for trials in (20, 400)]
    assert spreads[1] < spreads[0]


def test_the_same_journal_says_the_same() -> None:
    assert important(searched(50).study()) == important(searched(50).study())


def test_each_metric_has_bars_of_its_own() -> None:
    made, rng = Made(TWO, PLAIN), random.Random(0)
    made.open()
    for _ in range(200):
        params = PLAIN.sample(rng)
        made.trial((params["optimizer.lr"], params["model.a"]), params=params)
    study = made.study()
    assert [of_metric[0][0] for of_metric in importances(study)] == ["optimizer.lr", "model.a"]
    figure = draw(study)
    assert figure is not None
    assert [bar.name for bar in figure.data] == ["val_acc", "val_loss"]
    assert list(figure.data[1].y) == list(figure.data[0].y)


def test_the_bars_are_the_importances() -> None:
    study = searched(60).study()
    figure = draw(study)
    assert figure is not None
    (bar,) = figure.data
    found = important(study)
    assert list(bar.x) == [mean for _, mean, _ in found]
    assert list(bar.error_x.array) == [spread for *_, spread in found]
    assert list(bar.y) == ["optimizer.lr", *[path for path, *_ in found[1:]]]


def test_conditional_parameters_are_weighed_and_named_as_such() -> None:
    made, rng = Made(space=SPACE), random.Random(0)
    made.open()
    for _ in range(120):
        params = SPACE.sample(rng)
        made.trial(params.get("optimizer.momentum", 0.0) + 0.01 * rng.random(), params=params)
    study = made.study()
    found = [path for path, *_ in important(study)]
    assert set(found[:2]) == {"optimizer.momentum", "optimizer"}
    assert set(found) == {path for path, *_ in SPACE.paths()}
    text = draw(study).data[0].text[found.index("optimizer.momentum")]  # type: ignore[union-attr]
    have = sum("optimizer.momentum" in trial.params for trial in study.record.trials.values())
    assert f"{have} of 120 trials have it" in text


def test_diverging_matters() -> None:
    made, rng = Made(space=PLAIN), random.Random(0)
    made.open()
    for _ in range(60):
        params = PLAIN.sample(rng)
        diverges = params["optimizer.lr"] > 3e-3
        made.trial(0.5 + 0.1 * rng.random(), end="diverged" if diverges else "complete", params=params)
    assert important(made.study())[0][0] == "optimizer.lr"


@pytest.mark.parametrize(
    ("trials", "said"),
    [(1, "1 trial has a value"), (LEAST - 1, f"{LEAST - 1} trials have a value"), (0, "Nothing was tuned")],
)
def test_of_too_few_trials_a_sentence_is_said(trials: int, said: str) -> None:
    study = searched(trials).study()
    assert important(study) == []
    assert said in unclear(study)
    figure = draw(study)
    if trials:
        assert figure is not None
        assert said in figure.layout.annotations[0].text
    else:
        assert figure is None


def test_equal_values_say_nothing() -> None:
    made, rng = Made(space=PLAIN), random.Random(0)
    made.open()
    for _ in range(30):
        made.trial(0.5, params=PLAIN.sample(rng))
    assert important(made.study()) == []
    assert "do not differ" in unclear(made.study())
