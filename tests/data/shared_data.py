"""Where the real data lie that tests may use, outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DEFAULT = Path(__file__).parents[3] / "shared"


def shared_data(name: str) -> str:
    """The path of a file of real data; the test is skipped where it is absent."""
    path = Path(os.environ.get("RAYTUNE_NN_SHARED") or DEFAULT) / "data" / name
    if not path.exists():
        pytest.skip(f"real data are absent: {path} (RAYTUNE_NN_SHARED names another folder)")
    return str(path)
