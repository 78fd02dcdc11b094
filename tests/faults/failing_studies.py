"""Studies whose trials fail as they are told, on the Ray that the tests share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from listed_studies import Ended, run_on
from processes import write_options

FILES = {
    "model/failing.yaml": "{_target_: failing_module.Failing, value: 0.0, does: train, notes: notes}",
    "data/rows.yaml": "{_target_: failing_module.Rows}",
    "search_space/failing.yaml": "{model: {value: 'uniform(0, 1)', does: 'choice(train, freeze, sleep)'}}",
    "search_space/value.yaml": "{model: {value: 'uniform(0, 1)'}}",
}
COMMAND = ("+search=random", "model=failing", "data=rows", "optimizer=from_model", "search_space=failing")


def run(scratch: str, here: Path, *arguments: str, does: Mapping[float, str]) -> Ended:
    """Runs a study of trials of `failing_module`, by their values."""
    write_options(here, FILES)
    place = (f"model.notes={here / 'notes'}", "--config-dir", str(here / "conf"), f"study.storage={here}")
    return run_on(scratch, [*COMMAND, "trainer=cpu", *arguments, *place, "study.name=a"], does)


def causes(entries: list[dict[str, Any]]) -> dict[str, int]:
    """Of ``summary.json``: how often, by the text without its place."""
    return {entry["cause"].partition(" (failing_module")[0]: entry["count"] for entry in entries}
