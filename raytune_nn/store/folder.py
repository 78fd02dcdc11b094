"""The paths of a study folder, and writing a file there so that a reader never sees half of it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raytune_nn.errors import ConfigError, UnusableError

LONGEST_NAME = 200  # bytes; most file systems take 255


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
        """Whether a study was begun here: its journal has a line. One that was killed before that left nothing."""
        return any(segment.stat().st_size for segment in self.journal.glob("[0-9]*.jsonl"))

    def status(self) -> str | None:
        """The study's status as last written, or None where there is no study."""
        try:
            return str(json.loads(self.summary.read_text(encoding="utf-8"))["status"])
        except (OSError, ValueError, KeyError, TypeError):  # TypeError: it is JSON, and no mapping
            return None

    def create(self) -> list[Path]:
        """Makes the folder.

        Returns:
            The folders that were not there, outermost first, or held nothing but a study that is marked invalid;
            ``remove`` takes them away again.

        Raises:
            UnusableError: The storage cannot be written.
        """
        with usable(self.path):
            made = [path for path in reversed(self.path.parents) if not path.exists()]
            if self.status() == "invalid" or not self.path.exists():
                made.append(self.path)
            self.path.mkdir(parents=True, exist_ok=True)
            return made

    def clear_invalid(self, kept: str) -> None:
        """A study that was marked invalid gives its name up: all its files go but this one.

        Raises:
            UnusableError: The system refuses.
        """
        with usable(self.path):
            if self.status() != "invalid":
                return
            for path in sorted(self.path.iterdir(), key=lambda path: path == self.summary):  # the mark goes last
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != kept:
                    path.unlink()

    def remove(self, made: list[Path]) -> None:
        """Leaves no trace of a study that could not begin, but for what somebody else has put beside it since.

        Args:
            made: What ``create`` returned.

        Raises:
            UnusableError: The system refuses.
        """
        with usable(self.path):
            shutil.rmtree(self.path)
            for parent in reversed(made[:-1]):
                if any(parent.iterdir()):
                    return
                parent.rmdir()


def locate_study(storage: str, name: str) -> StudyFolder:
    """The folder of a study by its storage and name.

    Raises:
        ConfigError: The name is no plain folder name, or leads elsewhere; or the storage is a URI or no path.
    """
    if "://" in storage:  # as a path it would make a folder called "s3:" here
        raise ConfigError("study.storage must be the path of a folder", storage, "study.storage=studies")
    if not storage.isprintable():
        raise ConfigError("study.storage must be the path of a folder", ascii(storage), "study.storage=studies")
    if name in ("", ".", "..") or not name.isprintable() or name != name.strip() or re.search(r"[/\\]", name):
        raise ConfigError("study.name must be a plain folder name", ascii(name), "study.name=first")
    if len(os.fsencode(name)) > LONGEST_NAME:
        found = f"{len(os.fsencode(name))} bytes"
        raise ConfigError(f"study.name must be of {LONGEST_NAME} bytes at most", found, f"study.name={name[:20]}")
    path = Path(os.path.abspath(os.path.expanduser(storage))) / name
    _check_place(path)
    return StudyFolder(path)


def _check_place(path: Path) -> None:
    """Whether a study's folder is there, or can be."""
    try:
        path.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            found = f"{len(os.fsencode(path))} bytes, {path.name[:20]}… with its parents"
            raise ConfigError("study.storage must be a shorter path", found, "study.storage=studies") from error
        return
    if path.is_symlink():  # what is written and removed there would be somebody else's
        found = f"{path} -> {os.readlink(path)}"
        fix = "study.name=another, or study.storage=<the folder that holds the study>"
        raise ConfigError("a study's folder must not be a link", found, fix)
    if not path.is_dir():
        raise ConfigError("study.name must be that of a folder", f"{path} is a file", "study.name=another")


def check_storage(storage: str) -> None:
    """Whether ``study.storage`` can be written, without creating anything.

    Raises:
        ConfigError: It is a file, or its nearest existing parent is not writable.
    """
    path = Path(os.path.abspath(os.path.expanduser(storage)))
    while not os.path.exists(path) and path != path.parent:  # Path.exists raises where it may not look
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


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """What the system refuses inside becomes an error that says which file, and what to do.

    Raises:
        UnusableError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise UnusableError(
            "the study's folder must stay readable and writable",
            f"{path}: {error.strerror or error}",
            "free the disk or mend the permissions, then run the same command",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes a whole file at once: under another name first, then renamed; a power cut leaves the old or the new.

    Raises:
        UnusableError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    with usable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)


def write_yaml(path: Path, tree: Any, header: str = "") -> None:
    """Writes plain data as YAML, keys in their order."""
    write_text(path, header + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))


def write_json(path: Path, tree: Any) -> None:
    """Writes plain data as indented JSON."""
    write_text(path, json.dumps(tree, indent=2) + "\n")
