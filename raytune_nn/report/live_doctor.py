"""Warnings while a study runs: what the doctor finds in its trials, each kind named once a trial and soon no more.

A trial is looked at when it has 4, 8, 16, … reports and when it ends, so that its looks together cost about as much as
two at its end. Trials that an earlier driver began are left to ``mode=doctor``, which reads all of their reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.report.doctor.diagnose import diagnose_trial
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import Histories
from raytune_nn.store.journal import Event

FIRST_LOOK = 4  # reports
SHOWN_KINDS = 3  # at a time
NAMED_TRIALS = 3  # of a kind, in plain lines


class LiveDoctor:
    """Hears a study's events and says what is new.

    Args:
        config: The study's composed configuration.
        copies: Whether trials take over each other's weights: then the reports of ended trials may still matter.
    """

    def __init__(self, objective: Objective, config: Mapping[str, Any], copies: bool) -> None:
        self._histories, self._copies = Histories(objective, config), copies
        self._reports: dict[str, int] = {}  # of trials that have not ended: heard since their last look
        self._looks_at: dict[str, int] = {}
        self._newest: dict[Kind, tuple[str, Finding]] = {}  # trial and what was found; the last one stands last
        self._trials: dict[Kind, set[str]] = {}
        self._gave_up = False

    def heard(self, event: Event) -> list[str]:
        """Takes an event in; returns lines to say."""
        if self._gave_up:
            return []
        try:
            self._histories.heard(event)
            return list(self._examined(event))
        except Exception as error:  # a study is worth more than the warnings about it
            self._gave_up = True
            return [f"doctor  gives no more warnings: {type(error).__name__}: {error}"]

    @property
    def lines(self) -> list[str]:
        """What to show meanwhile, the newest kind first: of each kind its newest trial."""
        newest = list(reversed(self._newest.values()))[:SHOWN_KINDS]
        return [_line(id, finding, len(self._trials[finding.kind]) - 1) for id, finding in newest]

    def _examined(self, event: Event) -> Iterator[str]:
        id, kind = event.get("trial", ""), event["type"]
        if id not in self._histories:
            return
        if kind == "reported":
            self._reports[id] = self._reports.get(id, 0) + 1
        count = self._reports.get(id, 0)
        if kind == "reported" and count >= self._looks_at.get(id, FIRST_LOOK):
            self._looks_at[id] = 2 * count
            yield from self._told(id)
        elif kind == "ended":
            if count > self._looks_at.get(id, 0) // 2:
                yield from self._told(id)
            self._forget(id)

    def _forget(self, id: str) -> None:
        self._reports.pop(id, None)
        self._looks_at.pop(id, None)
        if not self._copies:
            self._histories.drop(id)

    def _told(self, id: str) -> Iterator[str]:
        for finding in diagnose_trial(self._histories.history(id)):
            trials = self._trials.setdefault(finding.kind, set())
            before = len(trials)
            trials.add(id)
            self._newest.pop(finding.kind, None)
            self._newest[finding.kind] = id, finding
            if before < len(trials) <= NAMED_TRIALS:
                yield f"doctor  {_line(id, finding)}"
            elif before == NAMED_TRIALS < len(trials):
                yield f"doctor  {finding.kind} in trial {id}, too; mode=doctor lists such trials from here on"


def _line(id: str, finding: Finding, others: int = 0) -> str:
    more = f" and {others} more" if others else ""
    then = f", try {finding.action}" if finding.action else ""
    return f"trial {id}{more}: {finding.kind} since epoch {finding.epoch} ({finding.evidence}){then}"
