"""The points of a space that a plan builds."""

from __future__ import annotations

from raytune_nn.space.corners import corners, middle
from raytune_nn.space.parse import parse_space

CONFIG = {"model": {"width": 64, "kind": "a"}, "optimizer": {"lr": 0.1}, "search_space": {}}
TREE = {
    "model": {"width": {"dist": "randint", "low": 8, "high": 128}, "kind": {"dist": "choice", "options": ["a", "b"]}},
    "optimizer": {"choose": {"sgd": {"momentum": "uniform(0.0, 0.9)"}, "adam": {}}},
}
SPACE = parse_space(TREE)
FOUND = corners({**CONFIG, "search_space": TREE}, SPACE, 0)


def test_each_end_is_there_by_itself_and_all_together() -> None:
    assert all(SPACE.contains(corner.params) for corner in FOUND)
    assert {corner.params["optimizer"] for corner in FOUND} == {"adam", "sgd"}
    assert {corner.params["model.width"] for corner in FOUND} == {8, 64, 128}
    assert {corner.params["optimizer.momentum"] for corner in FOUND if "optimizer.momentum" in corner.params} >= {
        0,
        0.9,
    }
    assert FOUND[0].moved == ("optimizer",), "a branch comes first"
    assert len(FOUND[-1].moved) > 2, "and all at once last"


def test_the_middle_is_what_is_configured() -> None:
    point = middle(CONFIG, SPACE, 0)
    assert (point["model.width"], point["model.kind"]) == (64, "a")


def test_a_corner_says_how_it_leaves_the_space() -> None:
    mends = {corner.moved[-1]: corner.mend for corner in FOUND if corner.params["model.width"] == 128}
    assert mends["model.width"] == "'search_space.model.width=\"randint(8, 64)\"'"
    assert any(corner.mend == "~search_space.optimizer.choose.sgd" for corner in FOUND)
