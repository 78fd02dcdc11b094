"""A study as the report sees it, read from its folder while it runs, after it ended, or half done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from omegaconf.errors import OmegaConfBaseException

from raytune_nn import __version__
from raytune_nn.config.compose import type_config
from raytune_nn.config.objective import read_objective
from raytune_nn.config.schema import Config, ObjectiveConfig, Take
from raytune_nn.errors import ConfigError, SpaceError
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord


@dataclass(frozen=True)
class Study:
    """What figures and tables are drawn from."""

    folder: StudyFolder
    record: StudyRecord
    events: Sequence[Event]  # the whole journal, oldest first
    settings: Config | None  # the study's config.yaml; None where this version cannot read it
    space: Space | None  # None where there is none, or none that this version can read
    config: Mapping[str, Any] = field(default_factory=dict)  # config.yaml as it is written; empty: not known


def read_study(folder: StudyFolder, config: Mapping[str, Any]) -> Study:
    """Reads a study as far as that can be done.

    Args:
        folder: Fetched, where it is on an object store.
        config: Its config.yaml.

    Raises:
        ConfigError: The objective cannot be read, or the journal is of a version that wrote other events.
        UnusableError: The journal is damaged.
    """
    settings = _settings(config)
    objective = read_objective(_objective(config) if settings is None else settings.objective)
    events = list(read_journal(folder.journal))
    try:
        record = StudyRecord.fold(objective, events)
    except (KeyError, TypeError, AttributeError) as error:
        rule = "a study must be of a version whose journal this one can read"
        raise ConfigError(rule, f"{_version(events)}; this is raytune_nn {__version__}", "its own version") from error
    return Study(folder, record, events, settings, _space(folder), config)


def _settings(config: Mapping[str, Any]) -> Config | None:
    try:
        return type_config(dict(config)).settings
    except (ConfigError, OmegaConfBaseException):  # keys that another version has, and this one has not, or the reverse
        return None


def _objective(config: Mapping[str, Any]) -> ObjectiveConfig:
    """The one thing that must be known of a configuration whose other keys are not."""
    try:
        tree = config["objective"]
        return ObjectiveConfig(tree["metric"], tree["mode"], Take(tree.get("take", "best")), tree.get("folds"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        rule = "a study's config.yaml must say what is optimised"
        raise ConfigError(rule, f"objective: {config.get('objective')}", "the version that wrote it") from error


def _space(folder: StudyFolder) -> Space | None:
    try:
        return parse_space(yaml.safe_load(folder.space.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, SpaceError):
        return None


def _version(events: Sequence[Event]) -> str:
    first = events[0] if events else {}
    return f"raytune_nn {first.get('versions', {}).get('raytune_nn', 'of an unknown version')}"
