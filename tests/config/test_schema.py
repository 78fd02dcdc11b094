"""The schema and ``conf/config.yaml`` say the same: every field has its value there, every key its field."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from command_line import compose
from omegaconf import MISSING

from raytune_nn.config import schema
from raytune_nn.config.schema import Config, Mode, Resume, SearchConfig, Take

CLASSES = [kind for _, kind in inspect.getmembers(schema, inspect.isclass) if dataclasses.is_dataclass(kind)]


def leaves(kind: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for name, hint in get_type_hints(kind).items():
        path = f"{above}{name}"
        if dataclasses.is_dataclass(hint):
            yield from leaves(hint, f"{path}.")
        else:
            yield path, hint


def at(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = tree[part]
    return tree


@pytest.mark.usefixtures("here")
def test_every_field_is_set_in_the_composed_configuration() -> None:
    config = compose().config
    paths = [path for path, _ in leaves(Config)]
    assert "budget.max_epochs" in paths
    assert len(paths) > 25
    for path in paths:
        assert at(config, path) != MISSING, path


@pytest.mark.usefixtures("here")
def test_a_search_sets_both_of_its_parts() -> None:
    search = compose("+search=asha").config["search"]
    assert set(search) == {field.name for field in dataclasses.fields(SearchConfig)}
    assert all(isinstance(search[part].get("_target_"), str) for part in ("searcher", "scheduler"))


@pytest.mark.usefixtures("here")
def test_the_composed_configuration_has_no_key_beside_the_fields() -> None:
    config = compose("+search=asha").config
    assert set(config) == {field.name for field in dataclasses.fields(Config)}
    assert set(config["study"]) == {"name", "storage", "resume", "cache", "trial"}


def test_no_field_has_a_value_of_its_own() -> None:
    """``conf/config.yaml`` is the one place where a value is set, but for ``search``, which is absent by default."""
    optional = [(Config, "search"), *((SearchConfig, key) for key in ("points", "warm_start", "fidelity"))]
    for kind in CLASSES:
        for field in dataclasses.fields(kind):
            if (kind, field.name) not in optional:
                assert field.default == MISSING, f"{kind.__name__}.{field.name}"


@pytest.mark.usefixtures("here")
def test_settings_are_the_same_values_typed() -> None:
    composed = compose("budget.num_trials=3", "resources.cpus=2", "budget.max_hours=1", "study.resume=must")
    settings = composed.settings
    assert settings.mode is Mode.run
    assert settings.study.resume is Resume.must
    assert settings.objective.take is Take.best
    assert (settings.budget.num_trials, type(settings.budget.num_trials)) == (3, int)
    assert (settings.resources.cpus, type(settings.resources.cpus)) == (2.0, float)
    assert (settings.budget.max_hours, type(settings.budget.max_hours)) == (1.0, float)
    assert composed.config["study"]["resume"] == "must"  # plain: it goes into a YAML file


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", [Mode, Resume, Take])
def test_values_of_an_enum_are_their_names(kind: type[Enum]) -> None:
    """OmegaConf reads names, so a value under another name could not be typed."""
    assert [member.name for member in kind] == [member.value for member in kind]


def test_comments_in_the_default_configuration_list_every_choice() -> None:
    text = (Path(schema.__file__).parents[2] / "conf" / "config.yaml").read_text()
    kinds: dict[str, type[Enum]] = {"mode": Mode, "resume": Resume, "take": Take}
    for key, kind in kinds.items():
        names = [member.name for member in kind]
        comment = next(line for line in re.findall(rf"^\s*{key}:.*#(.*)$", text, re.MULTILINE) if names[0] in line)
        assert [name for name in names if name not in comment] == [], key
