"""Trainings whose workers hold a part each: the same numbers as by DDP, and the same files."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sharded_trainings import CASES, STRATEGIES, Trained, train_all
from torch import Tensor, nn

from raytune_nn.trial.fully_sharded import blocks


def test_a_block_is_what_a_container_holds() -> None:
    inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Linear(2, 2)))
    module = nn.ModuleDict({"list": nn.ModuleList([inner, nn.TransformerEncoderLayer(2, 1)]), "last": nn.Linear(2, 2)})
    names = {part: name for name, part in module.named_modules()}
    assert [names[block] for block in blocks(module)] == ["list.0.0", "list.0.2.0", "list.1", "last"]
    assert list(blocks(nn.Linear(2, 2))) == []


def test_layers_that_share_a_weight_are_no_blocks() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    module[2].weight = module[0].weight
    assert list(blocks(module)) == [module[1]]
    twice = nn.Linear(2, 2)
    assert list(blocks(nn.Sequential(twice, nn.Sequential(twice)))) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Trained]:
    return train_all(tmp_path_factory.mktemp("sharded"))


def assert_close(one: Any, other: Any, tolerance: float) -> None:
    """Two states, to the last key and kind."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key], tolerance)
    elif isinstance(one, Tensor):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)
    else:
        assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_it_trains_as_ddp_does_and_its_files_are_those_of_one_worker(
    trained: dict[tuple[str, str], Trained], case: str
) -> None:
    ddp, fsdp = (trained[strategy, case] for strategy in STRATEGIES)
    assert (ddp.sharded, fsdp.sharded) == ([], ["", "blocks.0.0", "blocks.0.1", "blocks.1"])
    tolerance = 1e-3 if CASES[case].trainer.get("precision") else 1e-5
    assert_close(fsdp.state["state_dict"], ddp.state["state_dict"], tolerance)
    assert fsdp.again is not None
    (sharded,), (whole,), (again,) = (state["optimizer_states"] for state in (fsdp.state, ddp.state, fsdp.again))
    for state in (sharded, whole, again):
        for group in state["param_groups"]:
            group.pop("fused", None)
    assert_close(sharded, whole, tolerance)
    assert_close(fsdp.again["state_dict"], fsdp.state["state_dict"], 0)
    assert_close(again, sharded, 0)
