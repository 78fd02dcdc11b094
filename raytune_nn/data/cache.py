"""Decoded arrays in files that all trials of a node map into memory, so that a source is decoded once.

An entry is a folder named by a hash of all that its content follows from: where the source lies, its size and time of
change, and how it was decoded. A changed source has another name, so an entry is never out of date. It holds one
``.npy`` file for each array and ``sums.json``, their sizes and checksums. It is written beside its place, flushed to
the disk and then renamed, by the one process that holds its lock. Nothing removes entries: the folder may be deleted
at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Named = dict[str, NDArray[Any]]

_FORMAT = 1  # of an entry
_SUMS = "sums.json"
_BLOCK = 2**20  # bytes read at a time


def cached(decoder: str, sources: Iterable[Path], options: Mapping[str, object], decode: Callable[[], Named]) -> Named:
    """The arrays that ``decode`` gives, from the cache if they are there; else decoded and left in it.

    Processes that want the same entry at once decode it once: the others wait. Where the cache cannot be written,
    the arrays are decoded in this process's memory.

    Args:
        decoder: Name and version of the decoder, such as ``"idx 1"``: a decoder that gives other arrays than
            before takes another version.
        sources: The files that are decoded, all of them: a folder says nothing of the files in it.
        options: Arguments of the decoder that its result depends on, as JSON can hold them.
        decode: Reads the sources; its arrays may be of any type but objects.

    Returns:
        The arrays by their names, mapped copy-on-write: a change stays in this process.

    Raises:
        ValueError: A source does not exist.
        Exception: Whatever ``decode`` raises.
    """
    name = _name(decoder, sources, options)
    try:
        entry = cache_folder() / name
    except RuntimeError:
        return decode()
    found = _load(entry)
    if found is not None:
        return found
    lock = _lock(entry)
    if lock is None:
        return decode()
    with lock:
        found = _load(entry)  # somebody else may have decoded it while this process waited
        if found is not None:
            return found
        arrays = decode()
        return (_load(entry) or arrays) if _save(entry, arrays) else arrays


def cache_folder() -> Path:
    """Where entries lie: ``$RAYTUNE_NN_CACHE``, or raytune_nn in ``$XDG_CACHE_HOME``, which is ``~/.cache`` by default.

    Raises:
        RuntimeError: None of them is set, and this user has no home.
    """
    if own := os.environ.get("RAYTUNE_NN_CACHE"):
        return Path(own).absolute()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (shared if shared.is_absolute() else Path("~/.cache").expanduser()) / "raytune_nn"


def _name(decoder: str, sources: Iterable[Path], options: Mapping[str, object]) -> str:
    stamps = []
    for source in sources:
        try:
            status = source.stat()
        except OSError as error:
            raise ValueError(f"{source}: must be a file that can be read, but: {error.strerror}") from None
        stamps.append([str(source.resolve()), status.st_size, status.st_mtime_ns])
    told = json.dumps([_FORMAT, decoder, stamps, options], sort_keys=True)
    return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()


def _lock(entry: Path) -> BinaryIO | None:
    """The lock of an entry, held until it is closed; none where the cache cannot be written or has no locks."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            lock = opened.enter_context(entry.with_suffix(".lock").open("ab"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            opened.pop_all()
            return lock
    except OSError:
        return None


def _load(entry: Path) -> Named | None:
    """The arrays of an entry, or none where it is absent, half, or not what was written."""
    try:
        sums = json.loads((entry / _SUMS).read_bytes())
        for name, (size, checksum) in sums.items():
            status = (entry / f"{name}.npy").stat()
            if status.st_size != size or _checksum(entry / f"{name}.npy", status.st_mtime_ns, size) != checksum:
                return None
        return {name: np.load(entry / f"{name}.npy", mmap_mode="c") for name in sums} or None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


@cache
def _checksum(path: Path, changed: int, size: int) -> int:
    """Checksum of a file, taken once a process as long as the file is the same."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _save(entry: Path, arrays: Named) -> bool:
    """Write an entry; false where the disk does not take it. Only the holder of the entry's lock calls this."""
    draft = entry.with_suffix(".draft")  # one that a killed process left is overwritten
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        sums = {}
        for name, array in arrays.items():
            path = draft / f"{name}.npy"
            with path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
                _flush(file)
            status = path.stat()
            sums[name] = status.st_size, _checksum(path, status.st_mtime_ns, status.st_size)
        with (draft / _SUMS).open("w") as file:
            json.dump(sums, file)
            _flush(file)
        shutil.rmtree(entry, ignore_errors=True)  # what was found there could not be loaded
        draft.rename(entry)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        return False
    return True


def _flush(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
