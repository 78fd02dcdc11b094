"""Studies whose trials fail as they are told, on the Ray that the tests share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from listed_studies import run_on

from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord

FILES = {
    "model/failing.yaml": "{_target_: failing_module.Failing, value: 0.0, does: train, notes: notes}",
    "data/rows.yaml": "{_target_: failing_module.Rows}",
    "search_space/failing.yaml": "{model: {value: 'uniform(0, 1)', does: 'choice(train, freeze, sleep)'}}",
    "search_space/value.yaml": "{model: {value: 'uniform(0, 1)'}}",
}
COMMAND = ("+search=random", "model=failing", "data=rows", "optimizer=from_model", "search_space=failing")


@dataclass(frozen=True)
class Ended:
    """A study after its end."""

    record: StudyRecord
    events: list[Event]
    folder: StudyFolder
    notes: Path

    def of(self, kind: str, trial: str | None = None) -> list[Event]:
        return [e for e in self.events if e["type"] == kind and trial in (None, e["trial"])]

    def pids(self, value: float) -> list[int]:
        """The processes that trained the trial of this value, an entry an attempt."""
        return [int(line) for line in (self.notes / str(value)).read_text().splitlines()]


def run(scratch: str, here: Path, *arguments: str, does: Mapping[float, str]) -> Ended:
    """Runs a study of trials of `failing_module`, by their values."""
    write_options(here)
    place = (f"model.notes={here / 'notes'}", "--config-dir", str(here / "conf"), f"study.storage={here}")
    conductor, checked = run_on(scratch, [*COMMAND, "trainer=cpu", *arguments, *place, "study.name=a"], does)
    return Ended(conductor.record, list(read_journal(checked.folder.journal)), checked.folder, here / "notes")


def write_options(here: Path) -> None:
    """The module's in ``conf``, and a folder for its notes."""
    for path, text in FILES.items():
        (here / "conf" / path).parent.mkdir(parents=True, exist_ok=True)
        (here / "conf" / path).write_text(text)
    (here / "notes").mkdir(exist_ok=True)


def causes(entries: list[dict[str, Any]]) -> dict[str, int]:
    """Of ``summary.json``: how often, by the text without its place."""
    return {entry["cause"].partition(" (failing_module")[0]: entry["count"] for entry in entries}
