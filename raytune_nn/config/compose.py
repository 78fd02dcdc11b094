"""From the command line to one checked configuration: Hydra composes, the schema types it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from raytune_nn.config.epochs import EPOCHS, epochs
from raytune_nn.config.explain import explain, nearest
from raytune_nn.config.from_trainer import FROM_TRAINER, from_trainer
from raytune_nn.config.of_trial import TRIAL, of_trial
from raytune_nn.config.schema import Config
from raytune_nn.config.submitters import cluster_type
from raytune_nn.errors import ConfigError

FROM_DATA = "from_data"  # ${from_data:x} is the data module's attribute x, known once the data are built


@dataclass(frozen=True)
class Composed:
    """One command's configuration."""

    config: dict[str, Any]  # plain, every key of the schema, interpolations unresolved
    settings: Config  # the same, typed and resolved
    overrides: tuple[str, ...] = ()  # as typed, without Hydra's flags
    choices: Mapping[str, str] = field(default_factory=dict)  # config group -> option
    arguments: tuple[str, ...] = ()  # the whole command line as typed


def conf_dir() -> str:
    """The folder of the built-in configuration, in a wheel as in a checkout; Hydra's ``config_path``."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return str(inside if inside.is_dir() else package.parent / "conf")


def read_composed(config: DictConfig, arguments: Sequence[str]) -> Composed:
    """Checks what Hydra composed, inside a Hydra run.

    Args:
        arguments: The command line as typed.

    Raises:
        ConfigError: A config dir is missing or hides a built-in, a typed option of an optional group does not exist,
            or the configuration does not fit the schema.
    """
    run = HydraConfig.get()
    overrides = tuple(run.overrides.task)
    choices = {group: option for group, option in run.runtime.choices.items() if not group.startswith("hydra")}
    _check_sources([Path(source.path) for source in run.runtime.config_sources if source.schema == "file"])
    _check_search(overrides)
    _check_search_space(overrides, run.overrides.hydra)
    return replace(type_config(config), overrides=overrides, choices=choices, arguments=tuple(arguments))


def register_marks() -> None:
    """What stands for the interpolations that only a training can resolve; Hydra asks already when it merges them."""
    OmegaConf.register_new_resolver(FROM_DATA, lambda name: f"<{name} of the data>", replace=True)
    OmegaConf.register_new_resolver(FROM_TRAINER, from_trainer, replace=True)
    OmegaConf.register_new_resolver(EPOCHS, epochs, replace=True)
    OmegaConf.register_new_resolver(TRIAL, of_trial(), replace=True)


def type_config(config: DictConfig | dict[str, Any]) -> Composed:
    """Merges a configuration into a fresh schema, which refuses unknown keys however they came in.

    Raises:
        ConfigError: A value is missing, or an interpolation leads nowhere.
        OmegaConfBaseException: An unknown key or a value of the wrong type; ``config/explain.py`` words it.
    """
    register_marks()
    schema = OmegaConf.structured(Config)
    schema.cluster = OmegaConf.structured(cluster_type(config.get("cluster")))
    typed = cast(DictConfig, OmegaConf.merge(schema, config))
    plain = cast(dict[str, Any], OmegaConf.to_container(typed, resolve=False, enum_to_str=True))
    missing = next(_missing(plain), None)
    if missing is not None:
        fix = "+search=asha" if missing.startswith("search.") else f"{missing}=…"
        raise ConfigError(f"{missing} must have a value", "???", fix)
    settings = cast(Config, OmegaConf.to_object(typed))
    return Composed(plain, settings)


def resolved(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with its interpolations resolved where they can be; what comes from the data stays a mark.

    Raises:
        ConfigError: A value is missing, or an interpolation leads nowhere.
        OmegaConfBaseException: An unknown key or a value of the wrong type.
    """
    tree = OmegaConf.create(type_config(dict(config)).config)
    return cast(dict[str, Any], OmegaConf.to_container(tree, resolve=True))


def check_composes(overrides: Sequence[str]) -> None:
    """Checks that another command would compose, inside a Hydra run and with its config dirs.

    Raises:
        ConfigError: It would not.
        OmegaConfBaseException: An unknown key or a value of the wrong type.
    """
    run = HydraConfig.get()
    searchpath = [text for text in run.overrides.hydra if text.startswith("hydra.searchpath=")]
    try:
        composed = hydra.compose(run.job.config_name or "config", [*searchpath, *overrides])
    except Exception as error:
        raise explain(error, overrides) from error
    type_config(composed)


def compose_branch(overrides: Sequence[str], group: str, option: str) -> dict[str, Any]:
    """What a config group composes to under another option, the user's overrides applied; inside a Hydra run.

    Args:
        overrides: As typed.
        group: Dotted path of the group, such as ``optimizer``.
        option: Name of the option.

    Raises:
        ConfigError: There is no such option, or an override does not fit it; the message names the branch.
    """
    name = group.replace(".", "/")
    run = HydraConfig.get()
    searchpath = [text for text in run.overrides.hydra if text.startswith("hydra.searchpath=")]
    kept = [text for text in overrides if text.partition("=")[0].lstrip("+") != name]
    loader = GlobalHydra.instance().config_loader()
    if not loader.get_group_options(name, overrides=searchpath):
        rule = f"`choose` must stand at a config group, and {group} is none"
        raise ConfigError(rule, option, f"~search_space.{group}.choose")
    try:
        composed = hydra.compose(run.job.config_name or "config", [*searchpath, *kept, f"{name}={option}"])
        tree = OmegaConf.select(composed, group)
    except Exception as error:
        raise ConfigError(
            f"every branch of search_space.{group}.choose must compose, with the overrides typed",
            f"branch {option}: {str(error).splitlines()[0]}",
            f"~search_space.{group}.choose.{option}, or leave out what does not fit it",
        ) from error
    return cast(dict[str, Any], OmegaConf.to_container(tree, resolve=False))


def _missing(tree: Any, above: str = "") -> Iterator[str]:
    """Paths of values that are still to be given; OmegaConf's own search follows interpolations and fails there."""
    if tree == "???":
        yield above.rstrip(".")
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _missing(value, f"{above}{key}.")


def _check_sources(folders: Sequence[Path]) -> None:
    """Hydra only warns of a missing folder, and a built-in silently wins over the user's file of the same name."""
    built_in = Path(conf_dir())
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError("a config dir must exist", folder, f"mkdir {folder}")
        if folder == built_in or folder.is_relative_to(Path(hydra.__file__).parent):
            continue
        if built_in not in folders[: folders.index(folder)]:
            continue  # it comes first: its own config.yaml is the primary one
        for file in sorted(folder.rglob("*.yaml")):
            relative = file.relative_to(folder)
            if (built_in / relative).exists():
                raise ConfigError(
                    "a config file must not have the name of a built-in one, which would win",
                    file,
                    f"mv {file} {file.with_name('my_' + file.name)}",
                )


def _check_search(overrides: Sequence[str]) -> None:
    """`+search/searcher=…` composes without a search, to half of one."""
    groups = [text.lstrip("+").partition("=")[0] for text in overrides]
    for text, group in zip(overrides, groups, strict=True):
        if group in ("search/searcher", "search/scheduler") and text.startswith("+") and "search" not in groups:
            raise ConfigError("a searcher or scheduler belongs to a search", text, f"+search=asha {text.lstrip('+')}")


def _check_search_space(overrides: Sequence[str], hydra_overrides: Sequence[str]) -> None:
    """`optional search_space: ${model}` turns an option that does not exist into nothing; a typed one must exist."""
    loader = GlobalHydra.instance().config_loader()
    for text in overrides:
        key, _, option = text.partition("=")
        if key.lstrip("+") != "search_space" or not re.fullmatch(r"[\w/-]+", option):
            continue
        options = loader.get_group_options("search_space", overrides=list(hydra_overrides))
        if option not in options:
            raise ConfigError(
                "search_space must be one of its options",
                f"{option} (search_space: {', '.join(options)})",
                f"search_space={nearest(option, options) or options[0]}",
            )
