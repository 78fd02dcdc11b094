"""Targets at every depth, and what a dotted path names."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn
from trial_parts import Net, Part

from raytune_nn.trial.instantiate import instantiate, locate, locate_all, setting

PART = "trial_parts.Part"


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


@pytest.mark.parametrize("place", ["${space}", {"model": "${space.model}"}])
def test_everything_that_trials_can_name_is_imported(package: Path, place: object) -> None:
    for name in ("named", "chosen", "sampled", "unused"):
        (package / f"{name}.py").write_text("class Thing: ...")
    space = {"model": {"_target_": {"dist": "choice", "options": ["user_pkg.sampled.Thing"]}}}
    config = {"search": {}, "search_space": place, "space": space, "x": [{"_target_": "user_pkg.named.Thing"}]}
    branches = {"model": {"mine": {"_target_": "user_pkg.chosen.Thing"}}}
    locate_all(config, branches)
    modules = {name for name in sys.modules if name.startswith("user_pkg.")}
    assert modules == {"user_pkg.named", "user_pkg.chosen", "user_pkg.sampled"}


def test_a_setting_is_read_without_resolving_anything_else() -> None:
    config = {"seed": "${resources.cpus}", "resources": {"cpus": 2}, "model": "${no_such_key}"}
    assert setting(config, "seed") == 2
    assert setting(config, "resources.cpus") == 2
