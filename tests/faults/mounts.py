"""File systems of a test's own, taken away from commands that use them; all of them are gone in the end."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def mount(*arguments: str | Path) -> None:
    """Runs mount(8); skips the test where that is not allowed."""
    ran = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if "permission denied" in ran.stderr or "must be superuser" in ran.stderr:
        pytest.skip(f"needs the permission to mount (CAP_SYS_ADMIN): {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr


def unmount(point: Path) -> None:
    """Takes away what was mounted there last, also from processes that have files open on it."""
    subprocess.run(["umount", "--lazy", str(point)], check=True, capture_output=True)


def is_mounted(point: Path) -> bool:
    """Unlike `os.path.ismount` also true of a folder of the same file system."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(point) for line in lines)


@contextmanager
def mount_point() -> Iterator[Path]:
    """An empty folder; whatever is mounted there in the end is unmounted."""
    with tempfile.TemporaryDirectory(prefix="rtnn-mount-") as folder:
        point = Path(folder) / "storage"
        point.mkdir()
        try:
            yield point
        finally:
            while is_mounted(point):
                unmount(point)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A disk of so many MB (2**20 bytes)."""
    with mount_point() as point:
        mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", point)
        yield point


@contextmanager
def block_device(megabytes: int) -> Iterator[tuple[Path, Path]]:
    """An ext4 on a file, which an error makes read-only: its mount point, and that file."""
    with tempfile.TemporaryDirectory(prefix="rtnn-image-") as folder, mount_point() as point:
        image = Path(folder) / "image"
        with image.open("wb") as file:
            file.truncate(megabytes * 2**20)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        mount_image(image, point)
        yield point, image


def mount_image(image: Path, point: Path) -> None:
    mount("-o", "loop,errors=remount-ro", image, point)


def device_of(point: Path) -> str:
    """Such as ``loop0``."""
    major_minor = os.stat(point).st_dev
    return Path(f"/sys/dev/block/{os.major(major_minor)}:{os.minor(major_minor)}").resolve().name


@contextmanager
def filled(disk: Path, leave: int = 0) -> Iterator[None]:
    """While inside, only so many bytes are free there."""
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            usage = os.statvfs(disk)
            os.posix_fallocate(file.fileno(), 0, usage.f_bavail * usage.f_frsize - leave)
            while not leave:  # whatever a file system counts, until it refuses
                file.seek(0, os.SEEK_END)
                file.write(bytes(512))
        yield
    finally:
        filler.unlink(missing_ok=True)
