"""The studies of a storage, each by its ``summary.json`` alone, so that hundreds of them are listed in a second."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.bucket import is_url, read_url
from raytune_nn.store.lease import TTL_SECONDS, Lease, holder_of
from raytune_nn.store.object_store import ObjectStore

SUMMARY, JOURNAL = "summary.json", "journal"
STATUSES = ("running", "complete", "interrupted", "failed", "invalid")
_READERS = 16  # questions to an object store at once


@dataclass(frozen=True)
class ListedStudy:
    """What is known of a study without its journal."""

    name: str
    status: str  # that of its summary; dead: it ran, and its driver is gone; invalid: also where the summary is damaged
    began: float = 0.0  # seconds since the epoch; 0: nobody knows
    summary: Mapping[str, Any] = field(default_factory=dict)


class Place(Protocol):
    """Where studies are side by side. All methods raise OSError."""

    def folders(self) -> list[str]:
        """Of studies, and of others."""

    def read(self, path: str) -> bytes:
        """A small file."""

    def changed(self, path: str) -> float:
        """When it was written, in seconds since the epoch."""

    def holds(self, folder: str) -> bool:
        """Whether anything is in a folder."""


def list_studies(storage: str) -> list[ListedStudy]:
    """All studies of a storage, the newest first; none where it is not there. What is no study is left out.

    Raises:
        ConfigError: The storage is a file, or no URL of an object store.
        UnusableError: It cannot be read.
    """
    place: Place = _Bucket(ObjectStore(read_url(storage))) if is_url(storage) else _Folder(storage)
    try:
        with ThreadPoolExecutor(_READERS if is_url(storage) else 1) as readers:
            found = [study for study in readers.map(partial(_study, place), place.folders()) if study is not None]
    except OSError as error:
        shown = f"{error.filename or storage.partition('?')[0]}: {error.strerror or error}"
        if isinstance(error, PermissionError | NotADirectoryError):
            rule = "study.storage must be a folder or a bucket that can be read"
            raise ConfigError(rule, shown, "study.storage=studies") from error
        raise UnusableError("study.storage must answer", shown, "the storage, then the same command") from error
    return sorted(found, key=lambda study: -study.began)


def _study(place: Place, name: str) -> ListedStudy | None:
    """None where the folder is no study's."""
    try:
        summary = json.loads(place.read(f"{name}/{SUMMARY}"))
    except (FileNotFoundError, IsADirectoryError, PermissionError, ValueError):
        summary = None
    if not isinstance(summary, dict) or summary.get("status") not in STATUSES:
        return ListedStudy(name, "invalid") if place.holds(f"{name}/{JOURNAL}") else None
    status, began = summary["status"], summary.get("began")
    if status == "running" and _is_dead(place, name):
        status = "dead"
    return ListedStudy(name, status, began if isinstance(began, int | float) else 0.0, summary)


def _is_dead(place: Place, name: str) -> bool:
    """Whether nobody holds a study; of a driver elsewhere only its heart, by its clock, tells."""
    path = f"{name}/{Lease.name}"
    try:
        block = place.read(path)
        silent = time.time() - place.changed(path)
    except FileNotFoundError:
        return True
    holder = holder_of(block)
    lives = None if holder is None else holder.lives
    return not block.strip() or (silent > 2 * TTL_SECONDS if lives is None else not lives)


class _Folder:
    def __init__(self, storage: str) -> None:
        self._path = Path(os.path.abspath(os.path.expanduser(storage)))

    def folders(self) -> list[str]:
        try:
            with os.scandir(self._path) as entries:
                return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []

    def read(self, path: str) -> bytes:
        return (self._path / path).read_bytes()

    def changed(self, path: str) -> float:
        return (self._path / path).stat().st_mtime

    def holds(self, folder: str) -> bool:
        try:
            return any((self._path / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:
            return True


class _Bucket:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def folders(self) -> list[str]:
        return self._store.folders()

    def read(self, path: str) -> bytes:
        return self._store.read(path)

    def changed(self, path: str) -> float:
        return self._store.changed(path)

    def holds(self, folder: str) -> bool:
        return bool(self._store.sizes(folder))
