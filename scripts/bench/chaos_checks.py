"""What a study must show after faults, read from its journal and its table."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from raytune_nn.store.journal import Event, read_journal


@dataclass
class Findings:
    """Sums over studies, and what is wrong, a line each."""

    studies: int = 0
    trials: int = 0
    lost: int = 0  # trials that are not in the table, or that failed
    duplicates: int = 0  # rows of the table beyond the first of a trial
    reports_lost: int = 0  # that were in the journal when a driver was killed, and are not in the end
    differing: int = 0  # rows that an undisturbed study of the same seed has otherwise
    epochs: int = 0  # trained, each once
    repeated: int = 0  # reports of an epoch beyond the first
    wrong: list[str] = field(default_factory=list)

    @property
    def repeated_percent(self) -> float:
        return 100 * self.repeated / max(1, self.epochs)

    def add(self, study: Path, trials: int, seen: Iterable[bytes], undisturbed: Path | None) -> None:
        """Takes in one study that came to its end.

        Args:
            study: Its folder.
            trials: That it was to have.
            seen: Lines of the journal at the moments when its drivers were killed.
            undisturbed: Folder of the same study without faults, where its results must be the same.
        """
        self.studies, self.trials = self.studies + 1, self.trials + trials
        rows = table(study)
        ended = {row["trial"] for row in rows if row["state"] in ("complete", "stopped", "diverged")}
        self._count("lost", study, sorted({str(number) for number in range(trials)} - ended))
        self._count(
            "duplicates", study, [id for id, times in Counter(row["trial"] for row in rows).items() if times > 1]
        )
        there = set(lines(study))
        self._count("reports_lost", study, [line.decode() for line in seen if line not in there])
        if undisturbed is not None:
            wanted = {tuple(row.items()) for row in table(undisturbed)}
            self._count("differing", study, [str(row) for row in rows if tuple(row.items()) not in wanted])
        reports = Counter(_epochs(read_journal(study / "journal")))
        self.epochs, self.repeated = self.epochs + len(reports), self.repeated + reports.total() - len(reports)

    def _count(self, what: str, study: Path, cases: list[str]) -> None:
        setattr(self, what, getattr(self, what) + len(cases))
        self.wrong += [f"{study.name}: {what}: {case}" for case in cases]


def lines(study: Path) -> list[bytes]:
    """The whole lines of a journal, oldest first; a line that is being written is not yet one."""
    return [line for path in sorted(study.glob("journal/[0-9]*.jsonl")) for line in path.read_bytes().split(b"\n")[:-1]]


def table(study: Path) -> list[dict[str, str]]:
    """``trials.csv`` without the seconds, which are never the same; empty where a study did not come so far."""
    if not (study / "trials.csv").exists():
        return []
    with (study / "trials.csv").open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def _epochs(events: Iterable[Event]) -> Iterable[tuple[str, int]]:
    return ((event["trial"], event["epoch"]) for event in events if event["type"] == "reported")
