"""Weights to start from: every form of file, what does not fit, and where the build loads them."""

from __future__ import annotations

import logging
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import refused
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn
from trial_parts import Net, base_config, quiet

from raytune_nn.errors import ConfigError
from raytune_nn.modes.preflight import preflight
from raytune_nn.store.seal import write_sealed
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.weights import check_weights, load_weights


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def saved(tmp_path: Path, content: Any) -> str:
    path = tmp_path / "weights.ckpt"
    torch.save(content, path)
    return str(path)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("form", ["plain", "checkpoint"])
@pytest.mark.parametrize("strict", [True, False])
def test_the_model_gets_what_the_file_holds(tmp_path: Path, form: str, strict: bool) -> None:
    source, model = network(), network()
    state = source.state_dict()
    state["1.running_mean"].fill_(0.25)
    load_weights(model, saved(tmp_path, state if form == "plain" else {"epoch": 3, "state_dict": state}), strict)
    assert same(model.state_dict(), state)


def test_a_checkpoint_of_the_trainer_loads(tmp_path: Path) -> None:
    source, model = Net(width=3), Net(width=3)
    trainer = Trainer(**quiet(max_epochs=0))
    trainer.strategy.connect(source)
    trainer.save_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    load_weights(model, str(tmp_path / "model.ckpt"), strict=True)
    assert same(model.state_dict(), source.state_dict())


def test_strict_names_what_is_missing_and_what_is_too_much(tmp_path: Path) -> None:
    state = network().state_dict()
    state["head.weight"] = state.pop("2.weight")
    path = saved(tmp_path, state)
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ConfigError, match="name for name") as caught:
        load_weights(model, path, strict=True)
    assert caught.value.found == f"{path}: missing: 2.weight; unexpected: head.weight"
    assert caught.value.fix.startswith("model_weights_strict=false")
    assert same(model.state_dict(), before)


def test_strict_names_the_layer_and_both_shapes(tmp_path: Path) -> None:
    state = network().state_dict() | {"2.weight": torch.zeros(5, 4)}
    with pytest.raises(ConfigError, match=re.escape("of another shape: 2.weight (5, 4) for (2, 4)")):
        load_weights(network(), saved(tmp_path, state), strict=True)


def test_many_names_are_cut_short(tmp_path: Path) -> None:
    state = network().state_dict() | {f"extra.{number}": torch.zeros(1) for number in range(8)}
    with pytest.raises(ConfigError, match=r"extra\.4 and 3 more"):
        load_weights(network(), saved(tmp_path, state), strict=True)


def test_not_strict_loads_what_fits_and_says_the_rest_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = network()
    state = source.state_dict() | {"2.weight": torch.zeros(5, 4), "head.bias": torch.zeros(1)}
    del state["2.bias"]
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    path = saved(tmp_path, state)
    with caplog.at_level(logging.WARNING):
        load_weights(model, path, strict=False)
        load_weights(network(), path, strict=False)
    fitting = {name: tensor for name, tensor in source.state_dict().items() if not name.startswith("2.")}
    assert same(model.state_dict(), before | fitting)
    assert caplog.messages == [
        f"{path}: 7 of 9 tensors loaded; missing: 2.bias; unexpected: head.bias; "
        "of another shape: 2.weight (5, 4) for (2, 4)"
    ]


def test_what_fits_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="something of model_weights must fit"):
        load_weights(network(), saved(tmp_path, {"other": torch.zeros(1)}), strict=False)


def test_a_file_that_is_not_torchs_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "weights.ckpt"
    path.write_text("no weights")
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load_weights(network(), str(path), strict=True)


def test_a_model_of_ours_that_changed_on_the_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    with path.open("w+b") as file:
        write_sealed(partial(torch.save, network().state_dict()), file)
    load_weights(network(), str(path), strict=True)
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(4).numpy().tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="its checksum was"):
        load_weights(network(), str(path), strict=True)


class Runs:
    """Would run code when it is unpickled."""

    def __reduce__(self) -> Any:
        return sys.exit, (1,)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="weights_only=True"):
        load_weights(network(), saved(tmp_path, {"state_dict": {}, "extra": Runs()}), strict=True)


@pytest.mark.parametrize(("content", "kind"), [({"weight": [1.0]}, "list"), ([torch.zeros(1)], "list")])
def test_other_content_is_an_error(tmp_path: Path, content: Any, kind: str) -> None:
    with pytest.raises(ConfigError, match="mapping from names to tensors") as caught:
        load_weights(network(), saved(tmp_path, content), strict=False)
    assert str(caught.value.found).endswith(f": {kind}")


def test_the_check_wants_a_file(tmp_path: Path) -> None:
    check_weights(None)
    check_weights(saved(tmp_path, {}))
    with pytest.raises(ConfigError, match="must be a file that exists") as caught:
        check_weights(str(tmp_path / "none.ckpt"))
    assert caught.value.fix == "model_weights=null"
    (tmp_path / "model.ckpt").touch()
    with pytest.raises(ConfigError) as caught:
        check_weights(str(tmp_path))
    assert caught.value.fix == f"model_weights={tmp_path}/model.ckpt"


@pytest.mark.usefixtures("here")
def test_preflight_finds_a_missing_file_before_anything_is_created() -> None:
    ran = refused("model_weights=none.ckpt", task=preflight)
    assert ran.rule == "model_weights must be a file that exists"
    assert ran.found == "none.ckpt"
    assert not list(Path().iterdir())


def halve(module: nn.Module) -> None:
    """An initialisation."""
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.5)


def test_the_build_loads_after_the_initialisation(tmp_path: Path) -> None:
    state = {"layer.weight": torch.full((1, 1), 3.0)}
    config = base_config(
        init={"_target_": f"{__name__}.halve"}, model_weights=saved(tmp_path, state), model_weights_strict=False
    )
    model: LightningModule = build_trial(config, **quiet()).model
    assert isinstance(model, Net)
    assert model.layer.weight.item() == 3.0
    assert model.layer.bias.item() == 0.5
