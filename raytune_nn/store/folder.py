"""The paths of a study folder, and writing a file there so that a reader never sees half of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raytune_nn.errors import ConfigError, UnusableError


@dataclass(frozen=True)
class StudyFolder:
    """`<study.storage>/<study.name>/`; nothing is created before ``create``."""

    path: Path  # absolute

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def space(self) -> Path:
        return self.path / "space.yaml"

    @property
    def trials(self) -> Path:
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tb"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def exists(self) -> bool:
        """Whether a study was begun here: its journal has a segment."""
        return any(self.journal.glob("*.jsonl"))

    def status(self) -> str | None:
        """The study's status as last written, or None where there is no study."""
        try:
            return str(json.loads(self.summary.read_text())["status"])
        except (OSError, ValueError, KeyError):
            return None

    def create(self) -> None:
        """Makes the folder; a study that was marked invalid gives its name up."""
        if self.status() == "invalid":
            shutil.rmtree(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnusableError("study.storage must be writable", f"{self.path}: {error.strerror}") from error


def locate_study(storage: str, name: str) -> StudyFolder:
    """The folder of a study by its storage and name.

    Raises:
        ConfigError: The name is no plain folder name.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise ConfigError("study.name must be a plain folder name", name, "study.name=first")
    return StudyFolder(Path(os.path.abspath(os.path.expanduser(storage))) / name)


def check_storage(storage: str) -> None:
    """Whether ``study.storage`` can be written, without creating anything.

    Raises:
        ConfigError: It is a file, or its nearest existing parent is not writable.
    """
    path = Path(os.path.abspath(os.path.expanduser(storage)))
    while not path.exists() and path != path.parent:
        path = path.parent
    if not path.is_dir():
        raise ConfigError("study.storage must be a folder", f"{path} is a file", "study.storage=studies")
    try:
        tempfile.TemporaryFile(dir=path).close()  # has no name: it leaves nothing behind
    except OSError as error:
        raise ConfigError(
            "study.storage must be writable",
            f"{path}: {error.strerror}",
            "study.storage=<a folder of yours>",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a whole file at once: under another name first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text)
    os.replace(draft, path)


def write_yaml(path: Path, tree: Any, header: str = "") -> None:
    """Writes plain data as YAML, keys in their order."""
    write_text(path, header + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))


def write_json(path: Path, tree: Any) -> None:
    """Writes plain data as indented JSON."""
    write_text(path, json.dumps(tree, indent=2) + "\n")
