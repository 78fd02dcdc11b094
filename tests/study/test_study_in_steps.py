"""Studies on the digits whose schedulers count optimizer steps, or whose trials skip epochs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from command_line import inside
from one_slot import paused, run
from put_back import isolation_undone

from raytune_nn.modes.preflight import preflight
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.resume import replay

# An epoch has 11, 21 or 42 steps, as the batch size is drawn.
SMALL = ("search.fidelity=step", "budget.num_trials=5", "budget.max_epochs=5", "seed=1", "cluster.cpus=1")
ASHA = ("+search=asha", *SMALL, "search.scheduler.max_epochs=270", "search.scheduler.grace_period=30")
RUNGS = (30, 90)
PBT = ("+search=pbt", *SMALL, "search.scheduler.max_epochs=120", "search.scheduler.interval=30")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def outcome(events: list[Event]) -> list[tuple[str, str]]:
    return [(event["trial"], event["state"]) for event in events if event["type"] == "ended"]


def steps(events: list[Event]) -> dict[str, dict[int, int]]:
    """Of each trial, the optimizer steps at the ends of its epochs."""
    found: dict[str, dict[int, int]] = defaultdict(lambda: {0: 0})
    for event in events:
        if event["type"] == "reported":
            found[event["trial"]][event["epoch"]] = event["step"]
    return found


@pytest.mark.usefixtures("here")
def test_rungs_are_entered_by_steps_and_a_replay_gives_the_same_decisions() -> None:
    events = run("first", ASHA)
    taken = steps(events)
    assert len({each[1] for each in taken.values()}) > 1, "or steps would be epochs by another name"
    for trial, epoch, reason in paused(events):
        before, now = taken[trial][epoch - 1], taken[trial][epoch]
        rung = max(rung for rung in RUNGS if rung <= now)
        assert before < rung, "its first report at the rung or after it"
        assert reason.startswith(f"paused at rung {rung}: ")
    assert {trial for trial, _, _ in paused(events)} == set(taken), "everybody pauses at the first"
    for event in events:
        if event.get("saved"):
            before = taken[event["trial"]][event["epoch"] - 1]
            assert any(before < rung <= event["step"] for rung in RUNGS), "no state is saved elsewhere"

    places = [place for place, event in enumerate(events) if event["type"] == "decided"]
    for place in places:
        plan = inside(lambda composed: preflight(composed).plan, *ASHA, "study.name=again")
        record = StudyRecord.fold(plan.objective, events[:place])
        pending = replay(events[:place], record, plan.searcher, plan.scheduler, plan.fidelity)
        decided = {events[place]["trial"]: events[place]["reason"]}
        assert {id: verdict.words() for id, verdict in pending.items()} == decided


@pytest.mark.slow
@pytest.mark.parametrize("command", [ASHA, PBT], ids=["asha", "pbt"])
@pytest.mark.usefixtures("here")
def test_a_study_that_was_cut_goes_on_as_if_it_was_not(command: tuple[str, ...]) -> None:
    whole = run("whole", command)
    for cut in (9, 21):
        run(f"cut{cut}", command, kill_after=cut)
        events = run(f"cut{cut}", command)
        assert sorted(set(paused(events))) == sorted(paused(whole))
        assert outcome(events) == outcome(whole)
        assert steps(events) == steps(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_population_is_compared_every_so_many_steps() -> None:
    events = run("first", PBT)
    now: dict[str, int] = defaultdict(int)
    saved: dict[str, int] = {}
    passed: dict[str, bool] = {}
    for event in events:
        trial = event.get("trial", "")
        if event["type"] == "reported":
            passed[trial] = any(now[trial] < step <= event["step"] for step in (30, 60, 90))
            assert event.get("saved", False) <= passed[trial], "no state is saved elsewhere"
            now[trial] = event["step"]
            saved[trial] = event["step"] if event.get("saved") else saved.get(trial, 0)
        elif event["type"] == "decided":
            assert passed[trial]
        elif event["type"] == "resumed":
            now[trial] = saved[trial] = saved[event["source"] or trial]
    assert any(event["type"] == "resumed" and event["source"] is not None for event in events), "somebody is copied"


@pytest.mark.slow
@pytest.mark.parametrize("search", ["asha", "pbt"])
@pytest.mark.usefixtures("here")
def test_trials_that_validate_every_other_epoch_are_decided_on_late(search: str) -> None:
    small = ("budget.num_trials=5", "budget.max_epochs=7", "trainer.check_val_every_n_epoch=2", "cluster.cpus=1")
    events = run("first", (f"+search={search}", *small))
    assert {event["epoch"] for event in events if event["type"] == "reported"} == {2, 4, 6}
    decided = {epoch for _, epoch, _ in paused(events)}
    assert decided == ({2, 4} if search == "asha" else {4, 6}), "rungs 1 and 3; every 3"
    complete = [trial for trial, state in outcome(events) if state == "complete"]
    assert len(complete) == (1 if search == "asha" else 5), "one comes to its end, though its last report does not"
