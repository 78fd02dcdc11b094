"""The objects under one prefix of an object store, through pyarrow; what it refuses is an OSError like a disk's.

An object is there whole or not at all, and who reads after a write sees it (S3 and Google promise both). It cannot be
appended to, and pyarrow knows no conditional writes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from raytune_nn.store.bucket import Bucket

CHUNK = 8 * 2**20  # bytes in memory at once
_REASON = re.compile(r"AWS Error (?P<name>\w+)[^:]* during \w+ operation: (?P<text>.*)", re.DOTALL)
_GOOGLES_REASON = re.compile(r"google::cloud::Status\((?P<name>\w+): (?:.*? last message of )?(?P<text>.*)", re.DOTALL)
# What does not pass by itself. Google's words are those of gRPC.
FINAL = re.compile(
    "NO_SUCH_BUCKET|ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID|"
    "INVALID_SIGNATURE|MISSING_AUTHENTICATION_TOKEN|UNRECOGNIZED_CLIENT|EXPIRED_TOKEN|INVALID_TOKEN|ExpiredToken|"
    "InvalidToken|PERMISSION_DENIED|UNAUTHENTICATED|NoCredentials|HTTP Response Code: (?:301|400|401|403|404)|"
    "HTTP status (?:301|400|401|403|404)"
)


class ObjectStore:
    """Objects by their keys, relative to the prefix.

    The connection is made at the first use, so a process may fork before it. All methods raise OSError: with
    ``EREMOTEIO`` where the store is away and may come back, ``EACCES`` where it refuses, ``ENOENT`` where an object is
    not there.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    @cached_property
    def _files(self) -> Any:
        return self.bucket.filesystem()

    def place(self, key: str = "") -> str:
        """For people."""
        return f"{self.bucket.place}/{key}".rstrip("/")

    def read(self, key: str) -> bytes:
        """A small object."""
        with self._told(key), self._files.open_input_stream(self._path(key), compression=None) as stream:
            content: bytes = stream.read()
            return content

    def write(self, key: str, content: bytes) -> None:
        """A small object, in place of the one before."""
        with self._told(key), self._files.open_output_stream(self._path(key), compression=None) as stream:
            stream.write(content)

    def fetch(self, key: str, path: Path) -> None:
        """Copies an object to a file, which is there whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.fetched")
        with (
            self._told(key),
            self._files.open_input_stream(self._path(key), compression=None) as stream,
            draft.open("wb") as file,
        ):
            while chunk := stream.read(CHUNK):
                file.write(chunk)
        os.replace(draft, path)

    def send(self, key: str, file: IO[bytes]) -> None:
        """Copies a file, from its beginning, to an object."""
        file.seek(0)
        with self._told(key), self._files.open_output_stream(self._path(key), compression=None) as stream:
            while chunk := file.read(CHUNK):
                stream.write(chunk)

    def copy(self, source: str, target: str) -> None:
        """One object becomes another, without coming here."""
        with self._told(source):
            self._files.copy_file(self._path(source), self._path(target))

    def has(self, key: str) -> bool:
        """Whether an object is there."""
        with self._told(key):
            return bool(self._files.get_file_info(self._path(key)).is_file)

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """The keys of all objects under a prefix, a folder so to say, in their order, and their bytes."""
        from pyarrow.fs import FileSelector

        with self._told(prefix):
            under = FileSelector(self._path(prefix), recursive=True, allow_not_found=True)
            found = [info for info in self._files.get_file_info(under) if info.is_file]
        root = len(self.bucket.root) + 1
        return dict(sorted((info.path[root:], int(info.size)) for info in found))

    def folders(self) -> list[str]:
        """What the keys begin with, up to their first slash, in one question; none where nothing is there."""
        from pyarrow.fs import FileSelector

        with self._told(""):
            here = FileSelector(self._path(""), allow_not_found=True)
            return [info.base_name for info in self._files.get_file_info(here) if not info.is_file]

    def changed(self, key: str) -> float:
        """When an object was written, in seconds since the epoch by the store's clock."""
        with self._told(key):
            info = self._files.get_file_info(self._path(key))
        if not info.is_file:
            raise FileNotFoundError(errno.ENOENT, "it is not there", self.place(key))
        return float(info.mtime_ns / 1e9)

    def remove(self, key: str) -> None:
        """Where it is there."""
        with contextlib.suppress(FileNotFoundError), self._told(key):
            self._files.delete_file(self._path(key))

    def remove_all(self, prefix: str = "") -> None:
        """All objects under a prefix."""
        with contextlib.suppress(FileNotFoundError), self._told(prefix):
            self._files.delete_dir(self._path(prefix))

    def _path(self, key: str) -> str:
        return f"{self.bucket.root}/{key}".rstrip("/")

    @contextlib.contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """pyarrow's errors have no numbers, and long texts."""
        try:
            yield
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, "it is not there", self.place(key)) from error
        except OSError as error:
            if error.errno is not None and error.filename is not None:  # of the disk here
                raise
            final = FINAL.search(str(error))
            raise OSError(errno.EACCES if final else errno.EREMOTEIO, _brief(str(error)), self.place(key)) from error


def _brief(text: str) -> str:
    """The store's own words, without ids of requests."""
    found = _REASON.search(text) or _GOOGLES_REASON.search(text)
    if found is None:
        return (text.splitlines() or ["no answer"])[0][:200]
    words = re.split(r" \(Request ID|; Details:|\. (?:The|Learn)| error_info=", found["text"])[0].strip().rstrip(".")
    return f"{found['name']}: {words}"[:200]
