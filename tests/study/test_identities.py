"""What changes the identity of a trial, and what does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from raytune_nn.config.identity import digest, training_part
from raytune_nn.space import LogUniform
from raytune_nn.space.space import Space
from raytune_nn.study.code_version import code_version
from raytune_nn.study.data_version import contents, named_paths
from raytune_nn.study.identities import Identities

SPACE = Space({"optimizer.lr": LogUniform(1e-4, 1e-1)})
CONFIG: dict[str, Any] = {
    "seed": 0,
    "mode": "run",
    "study": {"name": "a"},
    "budget": {"num_trials": 3, "max_epochs": 9},
    "resources": {"cpus": 1, "memory": None},
    "model": {"_target_": "torch.nn.Linear", "epochs": "${budget.max_epochs}"},
    "data": {"path": None},
    "optimizer": {"lr": 0.1},
}


def identity(params: dict[str, Any], **changed: Any) -> str:
    config = {**CONFIG, **changed}
    return Identities(config, {}, SPACE, [config]).of(params)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"study": {"name": "b"}}, True),
        ({"mode": "plan"}, True),
        ({"budget": {"num_trials": 9, "max_epochs": 9}}, True),
        ({"resources": {"cpus": 1, "memory": 4}}, True),
        ({"optimizer": {"lr": 0.9}}, True),
        ({"model": {"_target_": "torch.nn.Linear", "epochs": 9}}, True),
        ({"seed": 1}, False),
        ({"budget": {"num_trials": 3, "max_epochs": 27}}, False),
        ({"resources": {"cpus": 2, "memory": None}}, False),
        ({"model": {"_target_": "torch.nn.Linear", "epochs": 8}}, False),
        ({"something": "new"}, False),
    ],
)
def test_what_touches_a_training(changed: dict[str, Any], same: bool) -> None:
    params = {"optimizer.lr": 0.01}
    assert (identity(params, **changed) == identity(params)) is same


def test_sampled_values_count_where_they_stand_in_the_configuration() -> None:
    assert identity({"optimizer.lr": 0.01}) != identity({"optimizer.lr": 0.02})
    assert identity({"optimizer.lr": 0.1}) == identity({}), "the same, searched or not"


def test_what_refers_to_a_searched_value_follows_it() -> None:
    refers = {"data": {"path": None, "half": "${optimizer.lr}"}}
    follows = {"data": {"path": None, "half": 0.01}}
    assert identity({"optimizer.lr": 0.01}, **refers) == identity({"optimizer.lr": 0.01}, **follows)
    assert identity({"optimizer.lr": 0.02}, **refers) != identity({"optimizer.lr": 0.02}, **follows)


def test_the_order_of_keys_is_nothing() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})
    assert training_part({"study": 1, "verbose": 2, "seed": 3}) == {"seed": 3}


def test_data_are_their_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "rows.csv"
    file.write_text("1,2")
    config = {"data": {"path": str(tmp_path / "a"), "name": "nothing here"}, "model_weights": None}
    paths = named_paths(config)
    assert paths == [str(tmp_path / "a")]
    before = contents(paths)
    os.utime(file, (1, 1))
    assert contents(paths) == before, "a copy has other times"
    file.write_text("1,3")
    assert contents(paths) != before
    file.write_text("1,2")
    (tmp_path / "a" / "more.csv").touch()
    assert contents(paths) != before


def test_beyond_the_bound_size_and_time_tell(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * 100)
    os.utime(file, (1, 1))
    before = contents([str(file)], most_bytes=10)
    file.write_bytes(b"y" * 100)
    os.utime(file, (1, 1))
    assert contents([str(file)], most_bytes=10) == before
    os.utime(file, (2, 2))
    assert contents([str(file)], most_bytes=10) != before


def test_the_code_is_the_users_source_and_what_it_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_a.py").write_text("import torch\nfrom mine_b.layers import Layer\nNet = Layer\n")
    (tmp_path / "mine_b").mkdir()
    (tmp_path / "mine_b" / "__init__.py").touch()
    layers = tmp_path / "mine_b" / "layers.py"
    layers.write_text("class Layer: pass\n")
    found = code_version(["mine_a.Net", "torch.optim.AdamW", "raytune_nn.nn.MLP"])
    assert found["mine_a"].startswith("source ")
    assert {"raytune_nn", "torch", "python", "pytorch-lightning", "mine_b"} <= set(found)
    layers.write_text("class Layer: wide = True\n")
    changed = code_version(["mine_a.Net"])
    assert changed["mine_a"] == found["mine_a"]
    assert changed["mine_b"] != found["mine_b"]
    assert "mine_a" not in sys.modules, "nothing is imported"
