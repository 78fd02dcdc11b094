"""What a configuration names must import, be of the kind of its place, and take its keywords."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.trial.kinds import KINDS
from raytune_nn.trial.targets import check_place, check_targets

Package = Callable[[str, str], None]

CONFIG: dict[str, Any] = {
    "model": {
        "_target_": "raytune_nn.nn.Classification",
        "net": {"_target_": "raytune_nn.nn.MLP", "in_features": "<in_features of the data>", "out_features": 10},
        "num_classes": 10,
    },
    "data": {"_target_": "raytune_nn.data.DigitsDataModule", "batch_size": 64},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.1},
    "lr_scheduler": {"scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3}, "interval": "epoch"},
    "trainer": {"_target_": "pytorch_lightning.Trainer", "max_epochs": 3},
}
HOSTILE = ["os.system", "subprocess.Popen", "builtins.eval", "torch.utils.collect_env.run", "os.environ", "sys.modules"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Writes the user's own modules; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> None:
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    before = set(sys.modules)
    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def changed(place: str, value: Any) -> dict[str, Any]:
    """The configuration with another value at a dotted path."""
    config = copy.deepcopy(CONFIG)
    *above, last = place.split(".")
    node = config
    for part in above:
        node = node[part]
    node[last] = value
    return config


def refused(config: dict[str, Any], *allowed: str) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        check_targets(config, allowed)
    return raised.value


def test_a_good_configuration_passes() -> None:
    check_targets(CONFIG, [])


@pytest.mark.parametrize("target", HOSTILE)
@pytest.mark.parametrize("place", ["model", "data", "optimizer", "lr_scheduler.scheduler", "trainer"])
def test_each_place_takes_its_kind_only(place: str, target: str) -> None:
    error = refused(changed(f"{place}._target_", target))
    kind = KINDS[place][0].rpartition(".")[2]
    assert error.rule in (f"{place}._target_ must be a {kind}", f"{place}._target_ must be an {kind}")
    assert str(error.found).startswith(f"{target}, ")
    assert error.fix.endswith(f"'security.allow_targets=[{target}]'")


@pytest.mark.parametrize("place", ["search.searcher", "search.scheduler"])
def test_a_search_is_checked_the_same_way(place: str) -> None:
    above, name = place.split(".")
    config = {above: {name: {"_target_": "os.system", "command": "true"}}}
    with pytest.raises(ConfigError, match=rf"{place}\._target_ must be a S"):
        check_place(config, place, [])


@pytest.mark.parametrize("target", HOSTILE)
@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"_target_": "{}"}, "model.net"),
        ({"_target_": "{}", "_partial_": True}, "model.net"),
        ({"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "{}"}]}, "model.net._args_.0"),
        ({"layers": [1, {"deep": {"_target_": "{}"}}]}, "model.net.layers.1.deep"),
        ({"_target_": "raytune_nn.nn.MLP", "width": {"_target_": "{}"}}, "model.net.width"),
        ({"_target_": "torch.nn.Sequential", "_args_": [[{"_target_": "{}"}]]}, "model.net._args_.0.0"),
    ],
)
def test_nothing_hides_at_any_depth(value: Any, path: str, target: str) -> None:
    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(item) for key, item in node.items()}
        return [filled(item) for item in node] if isinstance(node, list) else target if node == "{}" else node

    if "width" in value:
        value = {**value, "in_features": 1, "out_features": 1}
    error = refused(changed("model.net", filled(value)))
    assert error.rule == f"{path}._target_ must be a class of torch or Lightning, or derived from one"


@pytest.mark.parametrize("target", ["torch.nn.Linear", "raytune_nn.nn.MLP", "torch.nn.ReLU"])
def test_a_module_is_no_lightning_module(target: str) -> None:
    assert refused(changed("model._target_", target)).found == f"{target}, a class"


def test_a_target_that_the_user_trusts_may_be_anything_that_is_called() -> None:
    config = changed("model.net", {"_target_": "builtins.dict", "a": 1})
    assert refused(config).rule.startswith("model.net._target_ must be")
    check_targets(config, ["builtins.dict"])
    assert refused(config, "builtins.dic", "dict").rule.startswith("model.net._target_ must be")
    config = changed("model", {"_target_": "os.environ"})
    assert refused(config, "os.environ").rule == "model._target_ must be callable"


@pytest.mark.parametrize("value", [None, 3, {"lr": 1}, {"_target_": None}, {"_target_": 3}, "cosine"])
@pytest.mark.parametrize("place", ["model", "trainer", "lr_scheduler.scheduler"])
def test_a_place_must_name_its_class(place: str, value: Any) -> None:
    if value is None:  # nothing is scheduled, and nothing is checked
        check_targets(changed("lr_scheduler.scheduler", None), [])
        return
    error = refused(changed(place, value))
    assert error.rule == f"{place} must name its class by _target_"
    assert error.fix.startswith(f"{place}._target_=<a")


def test_a_place_is_built_and_not_left_as_a_part() -> None:
    error = refused(changed("model._partial_", True))
    assert (error.rule, error.fix) == ("model must be built, not left as a part", "~model._partial_")


@pytest.mark.parametrize("name", ["os", "", ".x", "a..b", "a.b()", "a b.c"])
def test_a_target_is_a_dotted_name(name: str) -> None:
    assert refused(changed("model._target_", name)).rule == "model._target_ must be a dotted name"
    assert refused(changed("model.net._target_", 3)).rule == "model.net._target_ must be a dotted name"


@pytest.mark.parametrize(
    ("name", "found", "fix"),
    [
        ("nope.Model", "ImportError: no module named 'nope'", "package.module.Class"),
        ("torch.nope.X", "ImportError: torch has no 'nope'", "package.module.Class"),
        ("raytune_nn.nn.Clasification", "raytune_nn.nn has no 'Clasification'", "raytune_nn.nn.Classification"),
        ("torch.optim.Adam.nope", "ImportError: torch.optim.Adam has no 'nope'", "package.module.Class"),
    ],
)
def test_a_target_must_import(name: str, found: str, fix: str) -> None:
    error = refused(changed("model._target_", name))
    assert error.rule == "model._target_ must be importable"
    assert str(error.found).startswith(f"{name} (")
    assert found in str(error.found)
    assert error.fix.startswith(f"model._target_={fix}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("raise ValueError('broken on purpose')", "ValueError: broken on purpose"),
        ("import sys\nsys.exit('enough')", "SystemExit: enough"),
        ("import a_package_that_is_missing", "No module named 'a_package_that_is_missing'"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_module_that_fails_on_import_is_named(package: Package, text: str, found: str) -> None:
    package("users_broken", text)
    error = refused(changed("model._target_", "users_broken.Model"))
    assert error.rule == "model._target_ must be importable"
    assert found in str(error.found)


def test_a_class_of_the_other_lightning_is_told_from_this_one(package: Package) -> None:
    package("lightning.__init__", "")
    package("lightning.pytorch", "class LightningModule: ...")
    package("users_lit", "import lightning.pytorch as L\nclass Model(L.LightningModule): ...")
    error = refused(changed("model", {"_target_": "users_lit.Model"}))
    assert error.rule == "model._target_ must be a LightningModule"
    assert error.found == "users_lit.Model, a class of `lightning`; import it from pytorch_lightning"


OWN = """
import pytorch_lightning as pl
class Own(pl.LightningModule):
    def __init__(self, width, *, depth=1): ...
    def configure_optimizers(self): ...
class Derived(Own): ...
class Plain(pl.LightningModule):
    def __init__(self, width, **rest): ...
"""


@pytest.mark.parametrize("name", ["Own", "Derived"])
def test_an_optimizer_from_the_model_is_the_models_own(package: Package, name: str) -> None:
    package("users_own", OWN)
    config = changed("model", {"_target_": f"users_own.{name}", "width": 3})
    config |= {"optimizer": {"_target_": None}, "lr_scheduler": {"scheduler": None}}
    check_targets(config, [])
    config["lr_scheduler"] = CONFIG["lr_scheduler"]
    error = refused(config)
    assert error.rule == "with optimizer=from_model the schedule is the model's own too"
    assert (error.found, error.fix) == ("torch.optim.lr_scheduler.StepLR", "lr_scheduler=none")
    config["model"] = {"_target_": "users_own.Plain", "width": 3}
    error = refused(config)
    assert error.rule == "optimizer=from_model needs a model with configure_optimizers of its own"
    assert (error.found, error.fix) == ("users_own.Plain", "optimizer=adamw")
