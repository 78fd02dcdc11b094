"""A storage that takes its time: a file is copied there once it is let."""

from __future__ import annotations

import shutil
import threading
from typing import IO

import pytest


class SlowStorage:
    """While it is made, copies into a study's folder wait until ``open`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.open = threading.Event(), threading.Event()
        copy = shutil.copyfileobj

        def slowly(source: IO[bytes], target: IO[bytes], length: int = 0) -> None:
            self.begun.set()
            assert self.open.wait(30)
            copy(source, target, length)

        monkeypatch.setattr(shutil, "copyfileobj", slowly)
