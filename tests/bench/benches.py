"""Puts the benches on the import path, as they are where one is run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "replay")]


def load(name: str) -> Any:
    """A bench by the name of its file."""
    return importlib.import_module(name)
