"""The grid against points listed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.search.grid import GridSearcher
from raytune_nn.space import Choice
from raytune_nn.space.parse import parse_space

NESTED: dict[str, Any] = {
    "b": {"choose": {"y": {"n": "choice(3, 1)"}, "x": {"c": {"choose": {"p": {"m": "randint(1, 2)"}, "o": {}}}}}},
    "a": "quniform(0, 0.2, 0.1)",
}
UNDER_B: list[dict[str, Any]] = [
    {"b": "x", "b.c": "o"},
    {"b": "x", "b.c": "p", "b.c.m": 1},
    {"b": "x", "b.c": "p", "b.c.m": 2},
    {"b": "y", "b.n": 3},
    {"b": "y", "b.n": 1},
]


def points(tree: dict[str, Any]) -> list[dict[str, Any]]:
    space = parse_space(tree)
    grid, size = GridSearcher(space), space.size()
    assert size is not None
    assert [grid.suggest(size + more) for more in (0, 1, 10**9)] == [None] * 3
    listed = [grid.suggest(number) for number in range(size)]
    assert all(point is not None and space.contains(point) for point in listed)
    return [point for point in listed if point is not None]


def test_the_last_path_changes_fastest_and_branches_have_their_own_points() -> None:
    assert points(NESTED) == [{"a": a, **below} for a in (0.0, 0.1, 0.2) for below in UNDER_B]


def test_the_order_of_keys_in_a_file_is_of_no_effect() -> None:
    assert points({key: NESTED[key] for key in reversed(NESTED)}) == points(NESTED)


def test_a_point_is_not_changed_by_who_was_given_it() -> None:
    grid = GridSearcher(parse_space({"hidden": "choice([1, 2], {a: 1})"}))
    for number, option in enumerate(([1, 2], {"a": 1})):
        for _ in range(2):
            given = grid.suggest(number)
            assert given == {"hidden": option}
            given["hidden"].clear()


def test_a_huge_grid_lists_each_distribution_once(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []
    values = Choice.values

    def counted(domain: Choice) -> tuple[Any, ...] | None:
        listed.append(domain)
        return values(domain)

    monkeypatch.setattr(Choice, "values", counted)
    tree = {f"p{number}": f"choice({', '.join(map(str, range(100)))})" for number in range(30)}
    grid = GridSearcher(parse_space(tree))
    before = len(listed)
    suggestions = [grid.suggest(number * 10**50) for number in range(1000)]
    assert len(listed) == before
    assert len({repr(point) for point in suggestions}) == 1000
    assert grid.suggest(100**30) is None
    assert grid.suggest(100**30 - 1) == dict.fromkeys(tree, 99)


@pytest.mark.parametrize(
    ("tree", "found", "fix"),
    [
        (
            {"optimizer": {"lr": "loguniform(1e-4, 1e-2)"}},
            "search_space.optimizer.lr: loguniform(0.0001, 0.01)",
            "'search_space.optimizer.lr=\"choice(0.0001, 0.001, 0.01)\"', or search/searcher=random",
        ),
        (
            {"optimizer": {"choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {}}}},
            "search_space.optimizer.momentum: uniform(0.0, 1.0)",
            "'search_space.optimizer.choose.sgd.momentum=\"choice(0.0, 0.5, 1.0)\"', or search/searcher=random",
        ),
        (
            {"optimizer": {"choose": {"sgd": {}, "adamw": {}}, "lr": "uniform(0, 1)"}},
            "search_space.optimizer.lr: uniform(0.0, 1.0)",
            "'search_space.optimizer.lr=\"choice(0.0, 0.5, 1.0)\"', or search/searcher=random",
        ),
        (
            {"seed": "randint(0, 2000000)"},
            "search_space.seed: randint(0, 2000000)",
            "'search_space.seed=\"choice(0, 1000000, 2000000)\"', or search/searcher=random",
        ),
    ],
)
def test_what_cannot_be_listed_is_refused_with_the_override_that_mends_it(
    tree: dict[str, Any], found: str, fix: str
) -> None:
    with pytest.raises(ConfigError, match="a grid needs finite distributions") as caught:
        GridSearcher(parse_space(tree))
    assert (caught.value.found, caught.value.fix) == (found, fix)


def test_an_interval_of_one_value_is_finite() -> None:
    assert points({"lr": "loguniform(0.1, 0.1)"}) == [{"lr": 0.1}]
