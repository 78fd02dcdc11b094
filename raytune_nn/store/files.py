"""The files of a study, where each of its processes sees them.

In a folder they are what stands there: most of these methods have nothing to do. On an object store each process has a
*working folder* of its own, in which files have the same paths as in a study's folder; what the others must see is
published, and what others wrote is fetched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any

from raytune_nn.store.object_store import ObjectStore

Write = Callable[[IO[bytes]], Any]  # the content of a file


class Files:
    """Those in a folder. All methods raise OSError."""

    is_remote = False

    def has(self, path: Path) -> bool:
        """Whether a file is there."""
        return path.is_file()

    def names(self, folder: Path) -> list[str]:
        """Of what is in a folder; none where it is not there."""
        return os.listdir(folder) if folder.is_dir() else []

    def fetch(self, path: Path) -> None:
        """Makes a file readable at its path, where it is there at all."""

    def fetch_folder(self, folder: Path, but: Iterable[str] = ()) -> None:
        """The same for the files in a folder, and in folders there; not those of these patterns."""

    def publish(self, *paths: Path) -> None:
        """Others see from now on what was written at these paths: files, or folders, whose earlier files go."""

    def write(self, path: Path, write: Write, durable: bool = False) -> None:
        """Writes a file for all to see; it is there whole or not at all.

        Args:
            durable: Whether a power cut must not take it back.
        """
        draft = path.with_name(f".{path.name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w+b") as file:
                write(file)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise

    def copy(self, source: Path, target: Path) -> None:
        """Gives a file a second name, also where that has a file; neither is written to again."""
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}")
        draft.unlink(missing_ok=True)
        try:
            os.link(source, draft)
        except OSError:  # some shares know no links
            shutil.copyfile(source, draft)
        os.replace(draft, target)
        draft.unlink(missing_ok=True)  # between two names of one file, replace does nothing

    def remove(self, path: Path) -> None:
        """Removes a file, where it is there."""
        path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Removes a folder with all that is in it."""
        shutil.rmtree(folder, ignore_errors=True)

    def prune(self, folder: Path) -> None:
        """Removes a folder if it is empty."""
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


class ObjectFiles(Files):
    """Those on an object store.

    Args:
        store: Of the study.
        folder: This process's working folder, which stands for it.
    """

    is_remote = True

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self.store, self._folder = store, folder

    def has(self, path: Path) -> bool:
        return self.store.has(self._key(path))

    def names(self, folder: Path) -> list[str]:
        return list(dict.fromkeys(key.split("/")[0] for key in self._under(folder)))

    def fetch(self, path: Path) -> None:
        try:
            self.store.fetch(self._key(path), path)
        except FileNotFoundError:
            path.unlink(missing_ok=True)

    def fetch_folder(self, folder: Path, but: Iterable[str] = ()) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for name in self._under(folder):
            if not any(fnmatch(Path(name).name, pattern) for pattern in but):
                self.store.fetch(self._key(folder / name), folder / name)

    def publish(self, *paths: Path) -> None:
        for path in paths:
            if path.is_dir():
                self._publish_folder(path)
            elif path.is_file():
                with path.open("rb") as file:
                    self.store.send(self._key(path), file)

    def write(self, path: Path, write: Write, durable: bool = False) -> None:
        with tempfile.TemporaryFile(dir=self._folder) as file:
            write(file)
            self.store.send(self._key(path), file)

    def copy(self, source: Path, target: Path) -> None:
        self.store.copy(self._key(source), self._key(target))

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.store.remove(self._key(path))

    def remove_folder(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.store.remove_all(self._key(folder))

    def prune(self, folder: Path) -> None:
        if not self._under(folder):
            self.remove_folder(folder)

    def _publish_folder(self, folder: Path) -> None:
        here = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self.publish(*here.values())
        for name in self._under(folder):
            if name not in here:
                self.store.remove(self._key(folder / name))

    def _under(self, folder: Path) -> list[str]:
        """Paths of files in a folder, relative to it."""
        key = self._key(folder)
        return [name.removeprefix(f"{key}/") for name in self.store.sizes(key)]

    def _key(self, path: Path) -> str:
        key = path.relative_to(self._folder).as_posix()
        return "" if key == "." else key


IN_FOLDER = Files()
