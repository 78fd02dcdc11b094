"""Building: targets at every depth, the data's attributes, and an optimizer for any module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf.errors import InterpolationKeyError
from trial_parts import Data, Net, base_config, quiet

from raytune_nn.errors import ConfigError
from raytune_nn.space.merge import merge_params
from raytune_nn.trial.build import Built, build_trial


def build(**changes: Any) -> Built:
    return build_trial(base_config(**changes), **quiet())


def test_an_attribute_that_the_data_has_needs_no_setup() -> None:
    built = build(model={"_target_": "trial_parts.Net", "width": "${from_data:num_rows}"})
    assert built.config["model"]["width"] == Data.num_rows
    assert isinstance(built.data, Data)
    assert built.data.calls == []


def test_an_attribute_that_is_missing_is_looked_for_after_setup() -> None:
    built = build(model={"_target_": "trial_parts.Net", "width": "${from_data:num_columns}"})
    assert built.config["model"]["width"] == 1
    assert isinstance(built.data, Data)
    assert built.data.calls == ["prepare_data", "setup fit"]


def test_what_numpy_or_torch_counted_becomes_a_plain_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Data, "num_rows", torch.tensor([1, 2]).max())
    monkeypatch.setattr(Data, "shape", torch.ones(3, 4).shape, raising=False)
    built = build(model={"_target_": "trial_parts.Net", "width": "${from_data:num_rows}"}, shape="${from_data:shape}")
    assert type(built.config["model"]["width"]) is int
    assert built.config["shape"] == [3, 4]
    assert type(built.config["shape"]) is list


def test_data_cannot_refer_to_themselves() -> None:
    with pytest.raises(ConfigError, match="cannot refer to itself") as raised:
        build(data={"_target_": "trial_parts.Data", "batch_size": "${from_data:num_rows}"})
    assert raised.value.found == "data.batch_size=${from_data:num_rows}"


def test_an_attribute_that_no_setup_brings_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"the data must have what model\.width asks of them") as raised:
        build(model={"_target_": "trial_parts.Net", "width": "${from_data:num_classes}"})
    assert raised.value.found == "Data has no num_classes"


def test_what_the_data_raise_comes_out_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Data, "setup", lambda self, stage: Path("nowhere").read_text())
    with pytest.raises(FileNotFoundError, match="nowhere") as raised:
        build(model={"_target_": "trial_parts.Net", "width": "${from_data:num_columns}"})
    assert raised.value.__suppress_context__


def test_a_wrong_interpolation_is_omegaconfs_error() -> None:
    with pytest.raises(InterpolationKeyError, match="nope"):
        build(model={"_target_": "trial_parts.Net", "width": "${nope}"})


def test_each_part_is_announced_before_it_is_built() -> None:
    parts: list[str] = []
    config = base_config(init={"_target_": "raytune_nn.nn.init.initialise"})
    build_trial(config, begins=parts.append, **quiet())
    assert parts == ["data", "model", "init", "callbacks", "trainer"]


def test_interpolations_follow_sampled_values() -> None:
    config = base_config(model={"_target_": "trial_parts.Net", "width": "${data.batch_size}"})
    config["data"]["batch_size"] = 2
    built = build_trial(merge_params(config, {}, {"data.batch_size": 4}), **quiet())
    assert isinstance(built.model, Net)
    assert built.model.width == 4
    assert config["model"]["width"] == "${data.batch_size}", "the base configuration is shared by all trials"


def test_without_a_configured_optimizer_the_modules_own_stays() -> None:
    model = build(optimizer={"_target_": None}).model
    assert isinstance(model.configure_optimizers(), torch.optim.SGD)
    assert "configure_optimizers" not in vars(model)
