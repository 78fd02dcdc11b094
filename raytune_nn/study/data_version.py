"""The version of what a training reads: the contents of the files and folders that its configuration names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MOST_BYTES = 256 * 2**20  # of contents that are read; of files beyond, size and time of change tell
_CHUNK = 2**20


def named_paths(config: Mapping[str, Any]) -> list[str]:
    """The texts under ``data`` and ``model_weights`` that are paths of files or folders here, each once."""
    texts = dict.fromkeys(_texts([config.get("data"), config.get("model_weights")]))
    return [text for text in texts if os.path.exists(os.path.expanduser(text))]


def contents(paths: list[str], most_bytes: int = MOST_BYTES) -> str:
    """A hash over all files at and under some paths: names and contents, in the order of names.

    Args:
        most_bytes: Of contents in all. From the first file that does not fit, its size and time of change stand for it.

    Raises:
        OSError: A file cannot be read.
    """
    state, left = hashlib.blake2b(digest_size=8), most_bytes
    for path in paths:
        top = Path(os.path.expanduser(path))
        for file in _files(top):
            about = file.stat()
            state.update(f"{path}\0{file.relative_to(top)}\0{about.st_size}\0".encode())
            if about.st_size > left:
                left = 0
                state.update(f"{about.st_mtime_ns}\0".encode())
                continue
            left -= about.st_size
            with file.open("rb") as opened:
                while chunk := opened.read(_CHUNK):
                    state.update(chunk)
    return state.hexdigest()


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        if node and len(node) < 4096 and "\0" not in node:
            yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _files(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
        return
    for folder, folders, names in os.walk(top):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names) if Path(folder, name).is_file())
