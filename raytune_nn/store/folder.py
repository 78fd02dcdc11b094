"""The paths of a study folder, and writing a file there so that a reader never sees half of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from raytune_nn.errors import UnusableError
from raytune_nn.store.bucket import is_url
from raytune_nn.store.files import IN_FOLDER, Files


@dataclass(frozen=True)
class StudyFolder:
    """`<study.storage>/<study.name>/`; nothing is created before ``create``."""

    path: Path  # absolute
    files: Files = IN_FOLDER

    @property
    def place(self) -> str:
        """For people."""
        return self.shown(self.path)

    @property
    def url(self) -> str:
        """Of a study on an object store; else empty."""
        return ""

    @property
    def storage_url(self) -> str:
        """Of the storage there."""
        return ""

    def shown(self, path: Path) -> str:
        """A path in the folder, for people."""
        return str(path)

    @property
    def is_taken(self) -> bool:
        """Whether anything is there under this name."""
        return self.path.exists()

    def fetch(self) -> None:
        """Makes the journal and the small files readable here, as they are now.

        Raises:
            UnusableError: The storage cannot be read.
        """

    def publish(self, *paths: Path) -> None:
        """Others see from now on what was written at these paths.

        Raises:
            UnusableError: The storage cannot be written.
        """

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
    def report(self) -> Path:
        return self.path / "report.html"

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


@contextmanager
def usable(path: Path | str) -> Iterator[None]:
    """What the system refuses inside becomes an error that says which file, and what to do.

    Raises:
        UnusableError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise UnusableError(
            "the study's folder must stay readable and writable",
            f"{_place(error) or path}: {error.strerror or error}",
            "free the disk or mend the permissions, then run the same command",
        ) from error


def _place(error: OSError) -> str:
    """Of an object; the names of files can be those of drafts."""
    return error.filename if isinstance(error.filename, str) and is_url(error.filename) else ""


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
