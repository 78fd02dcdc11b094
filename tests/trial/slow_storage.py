"""A storage that takes its time: a file is copied there once it is let."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from typing import IO

import pytest


class SlowStorage:
    """Copies into a study's folder wait until ``open`` is set; ``begun`` is, once one does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.open = threading.Event(), threading.Event()
        copy = shutil.copyfileobj

        def slowly(source: IO[bytes], target: IO[bytes], length: int = 0) -> None:
            self.begun.set()
            assert self.open.wait(30)
            copy(source, target, length)

        monkeypatch.setattr(shutil, "copyfileobj", slowly)


def slow_storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowStorage]:
    """The body of a fixture: in the end what waits is let."""
    storage = SlowStorage(monkeypatch)
    yield storage
    storage.open.set()
