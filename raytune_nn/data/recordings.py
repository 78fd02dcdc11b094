"""Finding WAV files in a folder or zip, and the class that each file's name or folder says."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def list_recordings(path: str) -> list[str]:
    """Names of the ``.wav`` files in a folder or zip and in all folders inside it, sorted; hidden ones are left out.

    Raises:
        ValueError: It is neither, or holds no such file.
    """
    if Path(path).is_dir():
        found = [file.relative_to(path).as_posix() for file in Path(path).rglob("*") if file.is_file()]
    else:
        with _opened(path) as archive:
            found = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    names = [name for name in found if name.lower().endswith(".wav") and not _is_hidden(name)]
    if not names:
        raise ValueError(f"{path} must hold .wav files, but none of its {len(found)} files is one")
    return sorted(names)


def read_recordings(path: str, names: list[str]) -> Iterator[bytes]:
    """Content of each file.

    Raises:
        ValueError: A file cannot be read.
    """
    if Path(path).is_dir():
        for name in names:
            try:
                yield (Path(path) / name).read_bytes()
            except OSError as error:
                raise ValueError(f"{Path(path) / name} cannot be read: {error.strerror}") from error
        return
    with _opened(path) as archive:
        for name in names:
            try:
                yield archive.read(name)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                raise ValueError(f"{path}: {name} cannot be read: {error}") from error


def label_of(name: str, pattern: re.Pattern[str] | None, path: str) -> str:
    """The class of a file: the group ``label`` of the pattern, found in the file's name; else its folder.

    Args:
        name: The file, with the folders inside ``path``.
        pattern: An expression with a group called ``label``, or none.
        path: The folder or zip, for messages.

    Raises:
        ValueError: The pattern is not in the name, or the file lies in no folder.
    """
    file = PurePosixPath(name)
    if pattern is None:
        if file.parent.name == "":
            raise ValueError(f"{path}: without label_pattern every file must lie in a folder of its class, but {name}")
        return file.parent.name
    found = pattern.search(file.name)
    if found is None or not found["label"]:
        raise ValueError(f"{path}: label_pattern {pattern.pattern!r} finds no label in the file name of {name}")
    return found["label"]


def compile_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """The pattern for `label_of`.

    Raises:
        ValueError: It is not a regular expression, or has no group called ``label``.
    """
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"label_pattern must be a regular expression, but {pattern!r} is not: {error}") from error
    if "label" not in compiled.groupindex:
        raise ValueError(f"label_pattern must have a group (?P<label>…), but got {pattern!r}")
    return compiled


def _opened(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path} must be a folder or a zip of WAV files, but: {reason}") from error


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
