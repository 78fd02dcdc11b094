"""How much room there is where a study is, or is to be."""

from __future__ import annotations

import errno
import math
import os
import shutil
from pathlib import Path

from raytune_nn.errors import ConfigError
from raytune_nn.store.bucket import is_url

MB = 1_000_000  # bytes


def check_room(path: str, needed: int) -> None:
    """Whether there is room for so many bytes where a folder is, or is to be.

    Raises:
        ConfigError: There is less.
    """
    rule = "study.storage must have room for the checkpoints of a trial"
    _check_free(path, needed, rule, f"{needed / MB:.1f} MB are needed")


def check_min_free(path: str, megabytes: float) -> None:
    """Whether ``checkpoints.min_free`` is a number, and free where a folder is, or is to be.

    An object store is never full.

    Raises:
        ConfigError: It is not, or there is less.
    """
    if not 0 <= megabytes < math.inf:
        raise ConfigError("checkpoints.min_free must be 0 or more MB", megabytes, "checkpoints.min_free=100")
    if is_url(path):
        return
    rule = "study.storage must have checkpoints.min_free MB free, or no trial is started"
    _check_free(path, megabytes * MB, rule, f"checkpoints.min_free={megabytes:g}", ", or checkpoints.min_free=0")


def refuse_below(path: str, megabytes: float) -> None:
    """For `Retry.run`: waits for so much room where a folder is, or is to be.

    Raises:
        OSError: There is less.
    """
    free = shutil.disk_usage(_nearest(path)).free
    if free < megabytes * MB:
        reason = f"{free / MB:.1f} MB are free, and no trial starts below checkpoints.min_free={megabytes:g}"
        raise OSError(errno.ENOSPC, reason, path)


def _check_free(path: str, least: float, rule: str, wanted: str, instead: str = "") -> None:
    there = _nearest(path)
    free = shutil.disk_usage(there).free
    if free < least:
        found = f"{wanted}, and {free / MB:.1f} MB are free in {there}"
        raise ConfigError(rule, found, f"free the disk, or study.storage=<a folder on a larger one>{instead}")


def _nearest(path: str) -> Path:
    """The folder itself, or the one in which it would be made."""
    there = Path(os.path.abspath(os.path.expanduser(path)))
    while not os.path.exists(there) and there != there.parent:
        there = there.parent
    return there
