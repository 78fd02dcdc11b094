"""The README's table of promises: each row names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "README.md").read_text().partition("\n## What is promised\n")[2].partition("\n##")[0]
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "| the test" not in line]
FUNCTIONS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
}


@pytest.mark.parametrize("row", ROWS)
def test_its_test_is_there(row: str) -> None:
    named = re.findall("`([^`]+)`", row.rsplit("|", 2)[1])
    assert named
    for name in named:
        assert (ROOT / name).is_file() if "/" in name else name in FUNCTIONS, name


def test_every_fault_that_is_committed_is_a_promise() -> None:
    files = {f"tests/faults/{path.name}" for path in (ROOT / "tests" / "faults").glob("test_*.py")}
    others = {"tests/faults/test_chaos.py", "tests/faults/test_promises.py"}
    assert len(ROWS) > 15
    assert {name for name in files - others if name not in TABLE} == set()
