"""Sampled values go into a copy of the configuration, groups before what lies in them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from raytune_nn.space.merge import merge_params, value_at

CONFIG: dict[str, Any] = {
    "seed": 0,
    "model": {"net": {"width": 128, "blocks": [1, 2]}, "classes": "${from_data:num_classes}"},
    "optimizer": {"_target_": "AdamW", "lr": 0.1, "weight_decay": 0.0},
}
BRANCHES: dict[str, dict[str, dict[str, Any]]] = {
    "optimizer": {
        "sgd": {"_target_": "SGD", "lr": 0.5, "momentum": {"value": 0.9}},
        "adamw": {"_target_": "AdamW", "lr": 0.1, "weight_decay": 0.0},
    },
    "model.net": {"wide": {"width": 512}},
}


def test_values_are_set_at_their_paths_and_the_rest_stays() -> None:
    merged = merge_params(CONFIG, {}, {"seed": 7, "model.net.width": 64})
    assert merged == {**CONFIG, "seed": 7, "model": {**CONFIG["model"], "net": {"width": 64, "blocks": [1, 2]}}}


def test_interpolations_stay_unresolved() -> None:
    assert merge_params(CONFIG, {}, {"seed": 7})["model"]["classes"] == "${from_data:num_classes}"


def test_a_group_replaces_its_whole_subtree() -> None:
    merged = merge_params(CONFIG, BRANCHES, {"optimizer": "sgd"})
    assert merged["optimizer"] == BRANCHES["optimizer"]["sgd"]
    assert "weight_decay" not in merged["optimizer"]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_group_comes_before_what_lies_in_it(reverse: bool) -> None:
    params = {"optimizer": "sgd", "optimizer.lr": 0.25, "optimizer.momentum.value": 0.8}
    ordered = dict(sorted(params.items(), reverse=reverse))
    merged = merge_params(CONFIG, BRANCHES, ordered)
    assert merged["optimizer"] == {"_target_": "SGD", "lr": 0.25, "momentum": {"value": 0.8}}


def test_a_group_may_lie_deeper() -> None:
    merged = merge_params(CONFIG, BRANCHES, {"model.net": "wide", "model.net.width": 3})
    assert merged["model"]["net"] == {"width": 3}


def test_nothing_given_is_touched() -> None:
    config, branches, options = copy.deepcopy(CONFIG), copy.deepcopy(BRANCHES), [1, [2]]
    params: dict[str, Any] = {"optimizer": "sgd", "optimizer.momentum.value": 0.1, "model.net.blocks": options}
    merged = merge_params(config, branches, params)
    merged["model"]["net"]["blocks"][1].append(3)
    merged["optimizer"]["lr"] = -1
    assert (config, branches) == (CONFIG, BRANCHES)
    assert options == [1, [2]]
    assert params["optimizer"] == "sgd"


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("depth", "depth"),
        ("model.nets.width", "model.nets"),
        ("model.net.depth", "model.net.depth"),
        ("seed.x", "seed.x"),
        ("model.net.blocks.0", "model.net.blocks.0"),
        ("model.net.width.x.y", "model.net.width.x"),
    ],
)
def test_a_path_that_does_not_exist_is_an_error_with_the_part_that_is_missing(path: str, missing: str) -> None:
    with pytest.raises(KeyError) as merging:
        merge_params(CONFIG, {}, {path: 1})
    with pytest.raises(KeyError) as reading:
        value_at(CONFIG, path)
    assert merging.value.args == reading.value.args == (missing,)


def test_a_path_that_the_chosen_branch_lacks_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"optimizer\.weight_decay"):
        merge_params(CONFIG, BRANCHES, {"optimizer": "sgd", "optimizer.weight_decay": 0.1})


def test_value_at() -> None:
    assert value_at(CONFIG, "seed") == 0
    assert value_at(CONFIG, "model.net") == {"width": 128, "blocks": [1, 2]}
    assert value_at(CONFIG, "optimizer.lr") == 0.1
