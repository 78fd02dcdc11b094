"""The soak of `scripts/bench/chaos.py`, in short."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from processes import REPOSITORY, new_place


@pytest.mark.slow
def test_a_minute_of_faults_loses_nothing(tmp_path: Path) -> None:
    with new_place(tmp_path) as place:
        chaos = (sys.executable, str(REPOSITORY / "scripts" / "bench" / "chaos.py"))
        ran = place.run("--minutes", "1", "--kills", "1", "--seed", "1", command=chaos)
        assert ran.code == 0, ran.out + ran.err
        rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", ran.out, re.MULTILINE))
        assert int(rows["driver: kill -9"]) >= 1, "a busy machine has time for few"
        assert {rows[name] for name in rows if "lost" in name or "twice" in name or "differ" in name} == {"0"}
        assert int(rows["trials"]) >= 12
        place.until_empty()
