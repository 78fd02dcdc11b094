"""Trials whose states are damaged while a study runs: what searcher and scheduler decide, and what the journal says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_line import inside
from command_line import run as command
from one_slot import Killed, run
from put_back import isolation_undone

from raytune_nn.modes.preflight import preflight
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.resume import replay

SMALL = ("budget.num_trials=6", "budget.max_epochs=9", "seed=1", "cluster.cpus=1", "model.net.width=8")
ASHA = ("+search=asha", "search/searcher=random", *SMALL)
PBT = ("+search=pbt", *SMALL)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


class Harm:
    """Changes states of trials that are about to go on.

    Args:
        copies: Those of other trials alone; else all.
        both: Also the state before.
    """

    def __init__(self, copies: bool = False, both: bool = False) -> None:
        self.copies, self.both = copies, both
        self.saves: dict[str, int] = defaultdict(int)
        self.harmed = 0

    def __call__(self, event: Event, folder: Path) -> None:
        trial = event.get("trial", "")
        if event.get("saved") or event.get("source") is not None:
            self.saves[trial] += 1
        elif event["type"] == "fell_back":
            self.saves[trial] = self.saves[trial] - 1 if event["epoch"] else 0
        if event["type"] != "resumed" or (self.copies and event["source"] is None):
            return
        number = self.saves[trial]
        for path in [state_path(folder / "checkpoints", trial, number - i) for i in range(1 + self.both)]:
            if path.exists():
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 1
                path.unlink()  # it may be another trial's too
                path.write_bytes(content)
                self.harmed += 1


def of(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


def outcome(events: list[Event]) -> list[Any]:
    """All that was decided, and all values."""
    record = StudyRecord.fold(inside(preflight, *ASHA, "study.name=other").plan.objective, events)
    trials = [(trial.id, trial.state, trial.value, trial.value_epoch, trial.epochs) for trial in record.trials.values()]
    decided = [(event["trial"], event["epoch"], event["reason"]) for event in of(events, "decided")]
    return [trials, decided, [event["trial"] for event in of(events, "resumed")]]


def replayed(command: tuple[str, ...], events: list[Event]) -> list[object]:
    """What the scheduler, told again of a study, answers where it resumed trials."""
    plan = inside(preflight, *command, "study.name=other").plan
    record, named = StudyRecord.fold(plan.objective, events), []
    ask = plan.scheduler.next_to_run

    def note(new_available: bool) -> object:
        resumption = ask(new_available)
        named.append(resumption)
        return resumption

    plan.scheduler.next_to_run = note  # type: ignore[assignment, method-assign]
    replay(events, record, plan.searcher, plan.scheduler, plan.fidelity)
    return [(each.trial, each.source, each.params) for each in named if each is not None]


@cache
def unharmed() -> list[Event]:
    return run("unharmed", ASHA)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("both", [False, True])
def test_promoted_trials_train_again_what_was_lost_and_nothing_else_changes(both: bool) -> None:
    harm = Harm(both=both)
    events = run("first", ASHA, harm=harm)
    fell = of(events, "fell_back")
    assert len(fell) == harm.harmed > 1
    assert {event["epoch"] for event in fell} >= {0}
    assert any(event["epoch"] for event in fell), "one had a state before"
    assert outcome(events) == outcome(unharmed())
    assert of(events, "retried") == []
    metrics: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event in of(events, "reported"):
        metrics[event["trial"], event["epoch"]].add(str(event["metrics"]))
    assert all(len(each) == 1 for each in metrics.values()), "what was trained twice gave the same"


@pytest.mark.usefixtures("checked_here")
def test_a_single_training_falls_back_as_well(here: Path) -> None:
    single = ("study.name=one", "trainer=cpu", "budget.max_epochs=4", "checkpoints.every_minutes=1e-9", *SMALL[-1:])

    def kill(event: Event, folder: Path) -> None:
        if event.get("saved") and event["epoch"] == 2:
            raise Killed

    run("one", single, harm=kill)
    state_path(here / "studies/one/checkpoints", "0", 2).write_bytes(b"")
    ran = command(*single)
    assert ran.code == 0, ran.err
    assert "trial 0 cannot go on from checkpoints/0/resume-2.ckpt: it is empty; it goes on from epoch 1" in ran.out
    events = list(read_journal(here / "studies/one/journal"))
    assert [event.get("epoch", 0) for event in of(events, "started")] == [0, 2, 1]
    assert [event["state"] for event in of(events, "ended")] == ["complete"]


@pytest.mark.usefixtures("here")
def test_a_copy_that_is_damaged_leaves_a_member_with_its_own_weights() -> None:
    harm = Harm(copies=True)
    events = run("first", PBT, harm=harm)
    fell, copied = of(events, "fell_back"), [event for event in of(events, "resumed") if event["source"] is not None]
    assert [event["trial"] for event in fell] == [event["trial"] for event in copied]
    assert len(fell) == harm.harmed > 0
    suggested = {event["trial"]: event["params"] for event in of(events, "suggested")}
    started = {(event["trial"], event["epoch"]) for event in of(events, "started") if event.get("epoch")}
    assert all((event["trial"], event["epoch"]) in started for event in fell)
    assert all(event["params"] == suggested[event["trial"]] for event in fell), "as if there had been no copy"
    assert [event["state"] for event in of(events, "ended")] == ["complete"] * 6
    told = [(event["trial"], event["source"], event["params"]) for event in of(events, "resumed")]
    assert replayed(PBT, events) == told
