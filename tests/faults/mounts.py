"""File systems of a test's own, taken away from commands that use them; all of them are gone in the end."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
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
    """While inside, at most so many bytes are free there: what is freed is taken again."""
    ended = threading.Event()
    with tempfile.TemporaryFile(dir=disk, buffering=0) as file:
        _fill(file.fileno(), leave)
        filling = threading.Thread(target=lambda: _keep_filling(file.fileno(), leave, ended))
        filling.start()
        try:
            yield
        finally:
            ended.set()
            filling.join()


def _keep_filling(file: int, leave: int, ended: threading.Event) -> None:
    while not ended.wait(0.02):
        _fill(file, leave)


def _fill(file: int, leave: int) -> None:
    disk = os.fstatvfs(file)
    free = disk.f_bavail * disk.f_frsize - leave
    if free > 0:
        with suppress(OSError):  # somebody was faster
            os.posix_fallocate(file, os.fstat(file).st_size, free)
