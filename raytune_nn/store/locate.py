"""Where a study is: in a folder or on an object store, by ``study.storage`` and ``study.name``."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from pathlib import Path

from raytune_nn.errors import ConfigError
from raytune_nn.store.bucket import is_url, read_url
from raytune_nn.store.folder import StudyFolder

LONGEST_NAME = 200  # bytes; most file systems take 255


def locate_study(storage: str, name: str) -> StudyFolder:
    """The folder of a study by its storage and name.

    Raises:
        ConfigError: The name is no plain folder name, or leads elsewhere; or the storage is no path, and no URL of an
            object store.
    """
    bucket = read_url(storage) if is_url(storage) else None  # as a path it would make a folder called "s3:" here
    if not storage.isprintable():
        raise ConfigError("study.storage must be the path of a folder", ascii(storage), "study.storage=studies")
    if name in ("", ".", "..") or not name.isprintable() or name != name.strip() or re.search(r"[/\\]", name):
        raise ConfigError("study.name must be a plain folder name", ascii(name), "study.name=first")
    if len(os.fsencode(name)) > LONGEST_NAME:
        found = f"{len(os.fsencode(name))} bytes"
        raise ConfigError(f"study.name must be of {LONGEST_NAME} bytes at most", found, f"study.name={name[:20]}")
    if bucket is not None:
        from raytune_nn.store.bucket_folder import bucket_folder

        return bucket_folder(bucket, name)
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
    """Whether ``study.storage`` can be written, without leaving anything.

    Raises:
        ConfigError: It is a file, or its nearest existing parent is not writable; or a bucket that is not.
        UnusableError: An object store that does not answer.
    """
    if is_url(storage):
        from raytune_nn.store.bucket_folder import check_bucket

        check_bucket(read_url(storage))
        return
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
