"""How searcher and scheduler get back to where a journal left them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hand_study import OBJECTIVE, conduct, make_plan, report, start, train

from raytune_nn.config.fidelity import EPOCHS
from raytune_nn.search.asha import ASHA
from raytune_nn.search.scheduler import Decision, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.resume import replay


class Told(Searcher, Scheduler):
    """Keeps what it is told; stops trial 1 at epoch 2."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    @property
    def decision_steps(self) -> None:
        return None

    def suggest(self, number: int) -> dict[str, Any]:
        return {"n": number}

    def on_report(self, trial: str, step: int, score: float) -> Verdict:  # type: ignore[override]  # Searcher's is None
        self.calls.append((trial, step, score))
        return Verdict(Decision.STOP if (trial, step) == ("1", 2) else Decision.CONTINUE, "so")

    def on_end(  # type: ignore[override]  # Scheduler's has no more than `complete`
        self, trial: str, params: object = None, score: object = None, state: str = "", complete: bool = False
    ) -> None:
        self.calls.append((trial, params, score, state) if state else (trial, params))

    def describe(self) -> str:
        return ""


@pytest.mark.parametrize(("lost", "pending"), [(0, []), (1, ["1"]), (2, ["1"]), (3, [])])
def test_a_replay_repeats_the_calls_and_gives_the_verdicts_that_were_lost(
    lost: int, pending: list[str], tmp_path: Path
) -> None:
    folder = StudyFolder(tmp_path / "s")
    live = Told()
    conductor = conduct(folder, replace(make_plan(live), searcher=live))
    train(conductor, 0.5, float("nan"))
    trial = start(conductor)
    conductor.reported(trial, report(1, 0.5))
    conductor.reported(trial, report(2, 0.6))
    segment = folder.journal / "00000.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[: len(lines) - lost]))

    events, told = list(read_journal(folder.journal)), Told()
    record = StudyRecord.fold(OBJECTIVE, events)
    verdicts = replay(events, record, told, told, EPOCHS)
    assert list(verdicts) == pending
    assert all(verdict == Verdict(Decision.STOP, "so") for verdict in verdicts.values())
    calls = [
        *[("0", 1, 0.5)] * 2,  # a report is told to both
        *[("0", False), ("0", {"n": 0}, None, "diverged")],
        *[("1", 1, 0.5)] * 2,
        *[("1", 2, 0.6)] * 2,
        *[("1", False), ("1", {"n": 1}, 0.6, "stopped")],
    ]
    assert live.calls == calls
    assert told.calls == calls[: {0: 10, 1: 8, 2: 8, 3: 6}[lost]]


def test_a_replay_fills_the_rungs(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    first = conduct(folder, make_plan(ASHA(9, promote=False)))
    for value in (0.9, 0.8):
        first.reported(start(first), report(1, value))
    asha = ASHA(9, promote=False)
    events = list(read_journal(folder.journal))
    replay(events, StudyRecord.fold(OBJECTIVE, events), make_plan().searcher, asha, EPOCHS)
    assert asha.on_report("2", 1, 0.7).words() == "stopped at rung 1: 0.7 < 0.9"
