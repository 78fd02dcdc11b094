"""Building: targets at every depth, the data's attributes, and an optimizer for any module."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf.errors import InterpolationResolutionError
from pytorch_lightning import Trainer
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from trial_parts import Data, Net, Part, base_config, quiet

from raytune_nn.space.merge import merge_params
from raytune_nn.trial.build import Built, build_trial, instantiate, locate, locate_all, set_optimizer, setting

PART = "trial_parts.Part"
PLATEAU = {
    "scheduler": {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "mode": "max", "patience": 0},
    "monitor": "val_acc",
    "interval": "epoch",
    "frequency": 1,
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package that is gone after the test."""
    folder = tmp_path / "user_pkg"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.startswith("user_pkg")]:
        del sys.modules[name]


def build(**changes: Any) -> Built:
    return build_trial(base_config(**changes), **quiet())


def test_targets_are_called_depth_first_at_every_depth() -> None:
    inner = {"_target_": PART, "x": 1}
    built = instantiate(
        {"_target_": PART, "part": inner, "listed": [inner, 2], "mapped": {"deep": inner}, "plain": [{}]}
    )
    assert isinstance(built, Part)
    assert built.keywords["part"].keywords == {"x": 1}
    assert built.keywords["listed"][0].keywords == {"x": 1}
    assert built.keywords["listed"][1] == 2
    assert built.keywords["mapped"]["deep"].keywords == {"x": 1}
    assert built.keywords["plain"] == [{}]


def test_plain_data_stays_as_it_is() -> None:
    assert instantiate({"a": [1, None, "x", {"b": True}]}) == {"a": [1, None, "x", {"b": True}]}


def test_positional_arguments_are_built_and_come_first() -> None:
    built = instantiate({"_target_": PART, "_args_": [{"_target_": PART}, 3], "x": 1})
    assert isinstance(built.args[0], Part)
    assert (built.args[1], built.keywords) == (3, {"x": 1})


def test_partial_leaves_the_call_to_somebody_else() -> None:
    built = instantiate({"_target_": PART, "_partial_": True, "_args_": [1], "x": 2})
    assert isinstance(built, functools.partial)
    assert built(y=3).keywords == {"x": 2, "y": 3}
    assert built().args == (1,)
    assert isinstance(instantiate({"_target_": PART, "_partial_": False}), Part)


@pytest.mark.parametrize("partial", [False, True])
def test_extras_win_over_the_nodes_own_keywords(partial: bool) -> None:
    built = instantiate({"_target_": PART, "_partial_": partial, "x": 1, "y": 1}, x=2, z=3)
    assert (built() if partial else built).keywords == {"x": 2, "y": 1, "z": 3}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("torch.nn.Linear", nn.Linear),
        ("trial_parts.Net.training_step", Net.training_step),
        ("functools.partial", functools.partial),
    ],
)
def test_a_dotted_path_names_an_attribute_at_any_depth(path: str, found: object) -> None:
    assert locate(path) is found


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_package.models.Net", "no module named 'no_such_package'"),
        ("Net", "no module named 'Net'"),
        ("trial_parts.Nett", "trial_parts has no 'Nett'"),
        ("trial_parts.Net.layers.first", "trial_parts.Net has no 'layers'"),
        ("user_pkg.module.Net", "user_pkg has no 'module'"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(package: Path, path: str, message: str) -> None:
    with pytest.raises(ImportError, match=f"^{message}$"):
        locate(path)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_dependency", "No module named 'no_such_dependency'"),
        ("import user_pkg.no_such_part", "No module named 'user_pkg.no_such_part'"),
        ("raise ZeroDivisionError('at import')", "at import"),
    ],
)
def test_an_error_of_the_module_itself_passes_through(package: Path, source: str, error: str) -> None:
    (package / "module.py").write_text(source)
    with pytest.raises((ModuleNotFoundError, ZeroDivisionError), match=error):
        locate("user_pkg.module.Net")


def test_everything_that_trials_can_name_is_imported(package: Path) -> None:
    for name in ("named", "chosen", "sampled", "unused"):
        (package / f"{name}.py").write_text("class Thing: ...")
    space = {"model": {"_target_": {"dist": "choice", "options": ["user_pkg.sampled.Thing"]}}}
    config = {"search": {}, "search_space": "${space}", "space": space, "x": [{"_target_": "user_pkg.named.Thing"}]}
    branches = {"model": {"mine": {"_target_": "user_pkg.chosen.Thing"}}}
    locate_all(config, branches)
    modules = {name for name in sys.modules if name.startswith("user_pkg.")}
    assert modules == {"user_pkg.named", "user_pkg.chosen", "user_pkg.sampled"}


def test_a_setting_is_read_without_resolving_anything_else() -> None:
    config = {"seed": "${resources.cpus}", "resources": {"cpus": 2}, "model": "${no_such_key}"}
    assert setting(config, "seed") == 2
    assert setting(config, "resources.cpus") == 2


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
    with pytest.raises(InterpolationResolutionError, match="cannot refer to itself"):
        build(data={"_target_": "trial_parts.Data", "batch_size": "${from_data:num_rows}"})


def test_an_attribute_that_no_setup_brings_is_an_error() -> None:
    with pytest.raises(InterpolationResolutionError, match="num_classes"):
        build(model={"_target_": "trial_parts.Net", "width": "${from_data:num_classes}"})


def test_interpolations_follow_sampled_values() -> None:
    config = base_config(model={"_target_": "trial_parts.Net", "width": "${data.batch_size}"})
    config["data"]["batch_size"] = 2
    built = build_trial(merge_params(config, {}, {"data.batch_size": 4}), **quiet())
    assert isinstance(built.model, Net)
    assert built.model.width == 4
    assert config["model"]["width"] == "${data.batch_size}", "the base configuration is shared by all trials"


def test_the_configured_optimizer_is_of_one_instance_only() -> None:
    model, other = Net(), Net()
    set_optimizer(model, {"_target_": "torch.optim.Adam", "lr": 0.25}, {"scheduler": None})
    optimizer = model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in model.layer.parameters()]
    assert isinstance(other.configure_optimizers(), torch.optim.SGD)
    assert isinstance(Net().configure_optimizers(), torch.optim.SGD)


def test_without_a_configured_optimizer_the_modules_own_stays() -> None:
    model = build(optimizer={"_target_": None}).model
    assert isinstance(model.configure_optimizers(), torch.optim.SGD)
    assert "configure_optimizers" not in vars(model)


def test_a_schedule_stands_in_lightnings_dictionary() -> None:
    model = Net()
    set_optimizer(model, {"_target_": "torch.optim.Adam"}, PLATEAU)
    configured: Any = model.configure_optimizers()
    schedule = configured["lr_scheduler"]
    assert isinstance(schedule["scheduler"], ReduceLROnPlateau)
    assert schedule["scheduler"].optimizer is configured["optimizer"]
    assert {key: schedule[key] for key in ("monitor", "interval", "frequency")} == {
        "monitor": "val_acc",
        "interval": "epoch",
        "frequency": 1,
    }


def test_a_plateau_of_the_objective_lowers_the_rate() -> None:
    built = build(
        model={"_target_": "trial_parts.Net", "accuracy": [0.1, 0.2, 0.2, 0.2]},
        optimizer={"_target_": "torch.optim.SGD", "lr": 1.0},
        lr_scheduler=PLATEAU,
        trainer={"_target_": "pytorch_lightning.Trainer", "max_epochs": 4},
    )
    assert isinstance(built.model, Net)
    assert isinstance(built.trainer, Trainer)
    built.trainer.fit(built.model, datamodule=built.data)
    assert built.model.rates == pytest.approx([1.0, 1.0, 1.0, 0.1]), "each noted before the epoch's own step"
