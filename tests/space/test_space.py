"""Spaces as a whole: points, branches, counting, and the way through a file."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from space_strategies import Tree, choices, moderately, quniforms, rngs, trees

from raytune_nn.errors import SpaceError
from raytune_nn.space import Choice, GroupChoice, LogUniform, RandInt, Space, Uniform, parse_space
from raytune_nn.space.values import identity

OPTIMIZER = parse_space(
    {
        "optimizer": {
            "choose": {
                "sgd": {"momentum": "uniform(0, 0.99)"},
                "adamw": {"weight_decay": "choice(0.0, 0.1)"},
            },
            "lr": "loguniform(1e-4, 1e-1)",
        },
        "net": {"width": "randint(1, 4)"},
    }
)
SGD = {"net.width": 2, "optimizer": "sgd", "optimizer.lr": 0.01, "optimizer.momentum": 0.9}


def turned(tree: Any) -> Any:
    """The same tree with the keys of every mapping in reverse."""
    if isinstance(tree, dict):
        return {key: turned(tree[key]) for key in reversed(tree)}
    return tree


def small_trees() -> st.SearchStrategy[Tree]:
    few = choices(st.integers(0, 3)) | st.builds(RandInt, st.integers(0, 2), st.integers(2, 4))
    return trees(few)


def points(space: Space) -> list[dict[str, Any]]:
    """All points of a finite space, listed the slow and plain way."""
    found: list[dict[str, Any]] = [{}]
    for path, domain in space.domains.items():
        found = [{**point, path: value} for point in found for value in domain.values() or ()]
    for path, group in space.choices.items():
        below = [{path: name, **rest} for name, branch in group.branches.items() for rest in points(branch)]
        found = [{**point, **choice} for point in found for choice in below]
    return found


@moderately
@given(trees(), rngs)
def test_a_sample_is_a_point_of_the_space(tree: Tree, rng: random.Random) -> None:
    space = parse_space(tree)
    point = space.sample(rng)
    assert space.contains(point)
    active = space.active(point)
    assert list(active) == list(point)
    assert all(domain.contains(point[path]) for path, domain in active.items())


@moderately
@given(trees(), rngs)
def test_a_sample_holds_exactly_what_its_choices_bring(tree: Tree, rng: random.Random) -> None:
    space = parse_space(tree)
    point = space.sample(rng)
    expected = {
        path for path, _, chosen in space.paths() if all(point.get(group) == option for group, option in chosen.items())
    }
    assert point.keys() == expected


@moderately
@given(trees())
def test_a_space_comes_back_from_a_yaml_file_as_it_was(tree: Tree) -> None:
    space = parse_space(tree)
    written = yaml.safe_dump(space.to_mapping())
    assert "&id" not in written  # nothing in the mapping is shared
    assert parse_space(yaml.safe_load(written)) == space
    assert pickle.loads(pickle.dumps(space)) == space


@moderately
@given(trees(), st.integers())
def test_the_order_of_keys_changes_no_sample(tree: Tree, seed: int) -> None:
    space, other = parse_space(tree), parse_space(turned(tree))
    assert space == other
    first, second = space.sample(random.Random(seed)), other.sample(random.Random(seed))
    assert identity(first) == identity(second)
    assert list(first) == list(second)
    assert [path for path, _, _ in space.paths()] == [path for path, _, _ in other.paths()]


@moderately
@given(trees(), rngs, st.data())
def test_a_point_with_a_key_too_few_or_too_many_is_none(tree: Tree, rng: random.Random, data: st.DataObject) -> None:
    space = parse_space(tree)
    point = space.sample(rng)
    assert not space.contains({**point, "nowhere": 1})
    for path in point:
        assert not space.contains({key: value for key, value in point.items() if key != path})
        assert not space.contains({**point, path: object()})


@moderately
@given(small_trees())
def test_size_counts_the_points(tree: Tree) -> None:
    space = parse_space(tree)
    size = space.size()
    assert size is not None
    if size < 2000:
        listed = points(space)
        assert len(listed) == len({identity(point) for point in listed}) == size
        assert all(space.contains(point) for point in listed)


@moderately
@given(small_trees(), st.sampled_from([Uniform(0, 1), LogUniform(1, 2)]))
def test_one_continuum_anywhere_makes_the_space_infinite(tree: Tree, domain: Uniform | LogUniform) -> None:
    assert parse_space({**tree, "z": domain.to_mapping()}).size() is None
    assert parse_space({"z": {"choose": {"first": tree, "second": {"x": domain.to_mapping()}}}}).size() is None


@moderately
@given(quniforms())
def test_size_of_a_grid_too_large_to_list_is_still_known(domain: Any) -> None:
    assert Space({"x": domain, "y": domain}).size() == domain.size() ** 2


def test_points_of_a_choice_of_groups() -> None:
    assert OPTIMIZER.contains(SGD)
    assert not OPTIMIZER.contains({**SGD, "optimizer": "adamw"})
    assert not OPTIMIZER.contains({**SGD, "optimizer.weight_decay": 0.1})
    assert not OPTIMIZER.contains({**SGD, "net.width": True})
    assert not OPTIMIZER.contains({**SGD, "net.width": 2.0})
    assert not OPTIMIZER.contains({**SGD, "optimizer": ["sgd"]})
    assert not OPTIMIZER.contains({})


def test_active_follows_the_choice_as_far_as_it_is_made() -> None:
    assert OPTIMIZER.active(SGD) == {
        "net.width": RandInt(1, 4),
        "optimizer": Choice(("adamw", "sgd")),
        "optimizer.lr": LogUniform(1e-4, 1e-1),
        "optimizer.momentum": Uniform(0, 0.99),
    }
    for params in ({}, {"optimizer": "lion"}, {"optimizer": None}, {"optimizer": ["sgd"]}):
        assert list(OPTIMIZER.active(params)) == ["net.width", "optimizer"]


def test_paths_come_with_the_options_they_need() -> None:
    assert [(path, chosen) for path, _, chosen in OPTIMIZER.paths()] == [
        ("net.width", {}),
        ("optimizer", {}),
        ("optimizer.lr", {"optimizer": "adamw"}),
        ("optimizer.weight_decay", {"optimizer": "adamw"}),
        ("optimizer.lr", {"optimizer": "sgd"}),
        ("optimizer.momentum", {"optimizer": "sgd"}),
    ]


def test_groups_and_parameters_come_in_one_order_of_paths() -> None:
    space = parse_space({"c": "uniform(0, 1)", "a": "uniform(0, 1)", "b": {"choose": {"x": None}}})
    assert list(space.sample(random.Random(0))) == ["a", "b", "c"]


def test_changing_the_conditions_of_one_path_changes_no_other() -> None:
    for _, _, chosen in OPTIMIZER.paths():
        assert "seen" not in chosen
        chosen["seen"] = "yes"


def test_conditions_of_nested_groups_add_up() -> None:
    inner = {"choose": {"linear": {"steps": "randint(1, 9)"}}}
    space = parse_space({"optimizer": {"choose": {"sgd": {"warmup": inner}}}})
    assert {path: chosen for path, _, chosen in space.paths()} == {
        "optimizer": {},
        "optimizer.warmup": {"optimizer": "sgd"},
        "optimizer.warmup.steps": {"optimizer": "sgd", "optimizer.warmup": "linear"},
    }


def test_every_option_of_a_group_is_drawn() -> None:
    rng = random.Random(0)
    drawn = [OPTIMIZER.sample(rng)["optimizer"] for _ in range(400)]
    assert drawn.count("sgd") / 400 == pytest.approx(0.5, abs=0.1)
    assert set(drawn) == {"sgd", "adamw"}


def test_the_mapping_is_nested_like_the_configuration() -> None:
    lr = {"dist": "loguniform", "low": 1e-4, "high": 1e-1}
    assert OPTIMIZER.to_mapping() == {
        "net": {"width": {"dist": "randint", "low": 1, "high": 4}},
        "optimizer": {
            "choose": {
                "adamw": {"lr": lr, "weight_decay": {"dist": "choice", "options": [0.0, 0.1]}},
                "sgd": {"lr": lr, "momentum": {"dist": "uniform", "low": 0.0, "high": 0.99}},
            }
        },
    }


def test_counting_by_example() -> None:
    assert Space().size() == 1
    assert Space().sample(random.Random(0)) == {}
    assert Space().contains({})
    assert OPTIMIZER.size() is None
    tree = {"net": {"choose": {"mlp": {"depth": "randint(1, 3)"}, "linear": None}}, "seed": "choice(1, 2)"}
    assert parse_space(tree).size() == (3 + 1) * 2


def test_emptiness() -> None:
    assert Space().is_empty
    assert not parse_space({"net": {"choose": {"mlp": None}}}).is_empty
    assert not Space({"a": Uniform(0, 1)}).is_empty


def test_a_group_needs_an_option() -> None:
    with pytest.raises(SpaceError, match="at least one option"):
        GroupChoice({})


def test_a_space_keeps_no_hold_on_what_it_was_made_from() -> None:
    domains = {"a": Uniform(0, 1)}
    space = Space(domains)
    domains["b"] = Uniform(0, 1)
    assert list(space.domains) == ["a"]
