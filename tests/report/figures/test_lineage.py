"""Lineage and schedules of a population, against what a replay of its best schedule would read."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from drawn_studies import ACCURACY, LOSS, Made, drive, named, numbers

from raytune_nn.config.objective import Objective
from raytune_nn.report.figures import schedules
from raytune_nn.report.figures.lineage import best_way, draw
from raytune_nn.report.figures.reading import points
from raytune_nn.search.pbt import PBT
from raytune_nn.search.pbt_schedule import schedule_of_best
from raytune_nn.space.domains import Choice, LogUniform, RandInt
from raytune_nn.space.space import Space

SPACE = Space(
    {
        "optimizer.lr": LogUniform(1e-4, 1e-1),
        "optimizer.kind": Choice(("plain", "nesterov")),
        "model.net.depth": RandInt(1, 4),
    }
)


def population(seed: int, objective: Objective = ACCURACY) -> Made:
    """Ten members, whose best rate falls from epoch to epoch."""
    made, rng = Made(objective, SPACE), random.Random(seed)
    params = [SPACE.sample(rng) for _ in range(10)]
    sign = 1 if objective.maximise else -1

    def value(params: dict[str, object], epoch: int) -> float:
        return sign * (epoch - 100 * abs(float(str(params["optimizer.lr"])) - 0.1 / epoch))

    scheduler = PBT(10, 15, 3, space=SPACE, perturb=["optimizer.lr", "optimizer.kind"], seed=seed)
    drive(made, scheduler, params, value, 15)
    return made


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("objective", [ACCURACY, LOSS])
def test_the_way_to_the_best_value_is_that_of_its_schedule(seed: int, objective: Objective) -> None:
    made = population(seed, objective)
    schedule = schedule_of_best(made.events, objective)
    assert schedule
    read = points(made.study())
    way = best_way(read)[::-1]
    assert way[0].begin == 0
    assert all(before.end == after.begin for before, after in pairwise(way))
    figure = schedules.draw(made.study())
    assert figure is not None
    lines = [trace for trace in figure.data if trace.name == "behind the best value"]
    expected = {stage.epoch: stage.params["optimizer.lr"] for stage in schedule}
    drawn = dict(zip(lines[-1].x[::2], lines[-1].y[::2], strict=True))
    assert drawn == expected


def test_each_copy_is_a_diamond_and_a_line_from_its_source() -> None:
    made = population(0)
    figure = draw(made.study())
    copies = [event for event in made.events if event["type"] == "resumed" and event["source"] is not None]
    diamonds, arrows = named(figure, "copy"), named(figure, "source to copy")
    assert list(diamonds.y) == [int(event["trial"]) for event in copies]
    pairs = list(zip(numbers(arrows.y)[::2], numbers(arrows.y)[1::2], strict=True))
    assert pairs == [(int(event["source"]), int(event["trial"])) for event in copies]
    assert all("goes on from trial" in text and "optimizer.lr: " in text and " → " in text for text in diamonds.text)


def test_all_that_was_trained_is_a_line() -> None:
    made = population(1)
    line = named(draw(made.study()), "trained")
    spans = zip(numbers(line.x)[::2], numbers(line.x)[1::2], strict=True)
    epochs = sum(1 for event in made.events if event["type"] == "reported")
    assert sum(end - begin for begin, end in spans) == epochs


def test_schedules_show_the_perturbed_parameters_only() -> None:
    figure = schedules.draw(population(2).study())
    assert figure is not None
    axes = [figure.layout.yaxis, figure.layout.yaxis2]
    assert [axis.title.text for axis in axes] == ["optimizer.kind", "optimizer.lr"]
    assert list(axes[0].ticktext) == ["plain", "nesterov"]
    assert axes[1].type == "log"


def test_a_copy_that_was_damaged_was_none() -> None:
    made = population(0)
    number = next(n for n, event in enumerate(made.events) if event["type"] == "resumed" and event["source"])
    resumed = made.events[number]
    own = next(e["params"] for e in made.events if e["type"] == "suggested" and e["trial"] == resumed["trial"])
    fell = {"trial": resumed["trial"], "epoch": 3, "params": own, "file": "f", "why": "torn", "error": ""}
    made.events = made.events[: number + 1]
    made.tell("fell_back", **fell)
    read = points(made.study())
    assert not read.copies
    assert read.marks[-1].kind == "fell back"


def test_no_population_no_lineage() -> None:
    made = Made(replace(ACCURACY))
    made.open()
    made.trial(0.5, params={"optimizer.lr": 0.1})
    assert draw(made.study()) is None
    assert schedules.draw(made.study()) is None
