"""All that it takes to train a trial once more and compare: what was trained, by what parts, and what was reported.

It is read from a study, and written beside the winner's model as ``best/trial.json``, which needs no study any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raytune_nn.errors import ConfigError
from raytune_nn.store.ancestry import Part, read_lineage
from raytune_nn.store.folder import StudyFolder, usable, write_json
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord

TRIAL = "trial.json"
_TYPES = {"study": str, "trial": str, "config": str, "branches": dict, "versions": dict, "value": int | None}


@dataclass(frozen=True)
class Recorded:
    """One trial as its study has it."""

    study: str
    trial: str
    config: str  # the study's, as its config.yaml has it
    branches: dict[str, Any]
    versions: dict[str, str]
    parts: tuple[Part, ...]  # their reports have epoch, metrics and, the first of each, machine
    value: int | None  # which of the reports is the trial's value, from 0

    @property
    def reports(self) -> list[Event]:
        """Of all parts."""
        return [report for part in self.parts for report in part.reports]

    @property
    def has_schedule(self) -> bool:
        """Whether other trials or other parameters are behind it, as in a population."""
        return any((part.trial, part.params) != (self.trial, self.parts[0].params) for part in self.parts)


def read_recorded(folder: StudyFolder, record: StudyRecord, trial: str) -> Recorded:
    """A trial of a study.

    Raises:
        UnusableError: Journal or configuration cannot be read.
    """
    with usable(folder.config):
        config = folder.config.read_text(encoding="utf-8")
    lineage = read_lineage(read_journal(folder.journal), record.objective, trial)
    study = record.study
    versions = study.get("versions", {})
    return Recorded(folder.name, trial, config, study.get("branches", {}), versions, lineage.parts, lineage.value)


def write_recorded(recorded: Recorded, folder: Path) -> None:
    """Writes ``trial.json`` there.

    Raises:
        UnusableError: It cannot be written.
    """
    parts = [
        {"trial": part.trial, "params": part.params, "reports": [_content(report) for report in part.reports]}
        for part in recorded.parts
    ]
    write_json(folder / TRIAL, {**vars(recorded), "parts": parts})


def load_recorded(folder: Path) -> Recorded:
    """What ``write_recorded`` wrote there.

    Raises:
        ConfigError: It is something else.
        UnusableError: The system refuses.
    """
    path = folder / TRIAL
    with usable(path):
        content = path.read_bytes()
    try:
        tree = json.loads(content)
        parts = tuple(_part(part) for part in tree["parts"])
        recorded = Recorded(**{**tree, "parts": parts})
        wrong = [name for name, type in _TYPES.items() if not isinstance(getattr(recorded, name), type)]
        if wrong or not parts or not isinstance(yaml.safe_load(recorded.config), dict):
            raise ValueError(", ".join(wrong) or ("config" if parts else "parts"))
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        rule = f"{TRIAL} of a best/ folder must be as it was written"
        found = f"{path}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise ConfigError(rule, found, "copy the folder from its study again") from error
    return recorded


def _content(report: Mapping[str, Any]) -> dict[str, Any]:
    return {key: report[key] for key in ("epoch", "metrics", "machine") if key in report}


def _part(tree: Mapping[str, Any]) -> Part:
    reports = tuple(
        {
            "epoch": int(report["epoch"]),
            "metrics": {name: float(value) for name, value in report["metrics"].items()},
            "machine": dict(report.get("machine", {})),
        }
        for report in tree["reports"]
    )
    if not reports:
        raise ValueError("a part has no reports")
    return Part(str(tree["trial"]), dict(tree["params"]), reports)
