"""`search.points`: what may stand there, and what a study tries first."""

from __future__ import annotations

from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.search.grid import GridSearcher
from raytune_nn.search.points import PointsFirst, read_points
from raytune_nn.search.random import RandomSearcher
from raytune_nn.space.parse import parse_space

SPACE = parse_space(
    {
        "optimizer": {"choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {}}, "lr": "loguniform(1e-4, 1e-1)"},
        "model": {"activation": "choice(relu, {name: leaky_relu, slope: 0.1})"},
    }
)
WHOLE = {
    "optimizer": "sgd",
    "optimizer.lr": 0.01,
    "optimizer.momentum": 0.5,
    "model.activation": {"name": "leaky_relu", "slope": 0.1},
}


@pytest.mark.parametrize(
    "entry",
    [
        WHOLE,
        {
            "optimizer": {"choose": "sgd", "lr": 0.01, "momentum": 0.5},
            "model": {"activation": {"name": "leaky_relu", "slope": 0.1}},
        },
        {
            "optimizer": {"choose": "sgd"},
            "optimizer.lr": 0.01,
            "optimizer.momentum": 0.5,
            "model.activation": {"slope": 0.1, "name": "leaky_relu"},
        },
    ],
)
def test_a_whole_point_is_taken_as_it_is(entry: dict[str, Any]) -> None:
    assert read_points([entry], SPACE, seed=0) == [WHOLE]


def test_what_is_left_out_is_drawn_by_the_seed() -> None:
    entries = [{"optimizer": {"lr": 0.01}}] * 20
    points = read_points(entries, SPACE, seed=0)
    assert all(SPACE.contains(point) and point["optimizer.lr"] == 0.01 for point in points)
    assert {point["optimizer"] for point in points} == {"sgd", "adamw"}
    assert points == read_points(entries, SPACE, seed=0)
    assert points != read_points(entries, SPACE, seed=1)


@pytest.mark.parametrize(
    ("entry", "rule", "found", "fix"),
    [
        (
            {"optimizer": {"lr": 5}},
            "search.points[1]: optimizer.lr must be in loguniform(0.0001, 0.1)",
            "5",
            "in that entry, optimizer.lr: 0.0001",
        ),
        (
            {"optimizer": "lion"},
            "search.points[1]: optimizer must be in choice(adamw, sgd)",
            '"lion"',
            'in that entry, optimizer: "adamw"',
        ),
        (
            {"optimizer": "adamw", "optimizer.momentum": 0.5},
            "search.points[1] must hold paths of search_space only, and only those that its choices leave",
            "optimizer.momentum: 0.5",
            "add optimizer: sgd",
        ),
        (
            {"model": {"depth": 3}},
            "search.points[1] must hold paths of search_space only, and only those that its choices leave",
            "model.depth: 3",
            "leave model.depth out, or +search_space.model.depth={…}",
        ),
        ({}, "search.points[1] must be a mapping from paths to values", "{}", None),
        (0.1, "search.points[1] must be a mapping from paths to values", "0.1", None),
    ],
)
def test_another_point_is_refused(entry: Any, rule: str, found: str, fix: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        read_points([WHOLE, entry], SPACE, seed=0)
    assert (caught.value.rule, caught.value.found) == (rule, found)
    assert caught.value.fix == (fix or "'search.points=[{model.activation: \"relu\"}]'")


def test_points_come_first_and_the_searcher_begins_at_its_own_first() -> None:
    space = parse_space({"a": "choice(1, 2)"})
    searcher = PointsFirst([{"a": 2}], GridSearcher(space))
    assert [searcher.suggest(number) for number in range(4)] == [{"a": 2}, {"a": 1}, {"a": 2}, None]


def test_the_searcher_hears_of_all_trials() -> None:
    heard = []

    class Hears(RandomSearcher):
        def on_report(self, *report: Any) -> None:
            heard.append(report)

        def on_pause(self, *pause: Any) -> None:
            heard.append(pause)

        def on_end(self, *end: Any) -> None:
            heard.append(end)

        def replay(self, number: int, params: dict[str, Any]) -> None:
            heard.append((number, params))

    searcher = PointsFirst([WHOLE], Hears(SPACE, 0))
    searcher.on_report("0", 1, 0.5)
    searcher.on_pause("0", WHOLE)
    searcher.on_end("0", WHOLE, 0.5, "complete")
    searcher.replay(0, WHOLE)
    searcher.replay(1, {"a": 1})
    assert heard == [("0", 1, 0.5), ("0", WHOLE), ("0", WHOLE, 0.5, "complete"), (0, {"a": 1})]


def test_a_point_is_not_changed_by_who_was_given_it() -> None:
    searcher = PointsFirst([WHOLE], RandomSearcher(SPACE, 0))
    given = searcher.suggest(0)
    assert given is not None
    given["model.activation"].clear()
    assert searcher.suggest(0) == WHOLE
    assert WHOLE["model.activation"] == {"name": "leaky_relu", "slope": 0.1}
