"""Trials that give their slot up and go on later, call by call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hand_study import Heard, conduct, make_plan, report, start, states

from raytune_nn.search.scheduler import GO_ON, Decision, Resumption, Scheduler, Verdict
from raytune_nn.search.searcher import Searcher
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.session import StudyPlan, open_study
from raytune_nn.trial.task import TrialTask

PAUSE = Verdict(Decision.PAUSE, "so it is")


class Scripted(Scheduler):
    """Pauses at every report, and then names what it was given, one a call."""

    pauses = copies = True
    decision_steps = None

    def __init__(self, *resumptions: Resumption | None, verdict: Verdict = PAUSE) -> None:
        self.resumptions, self.verdict = list(resumptions), verdict
        self.calls: list[tuple[Any, ...]] = []

    def on_start(self, trial: str, params: dict[str, Any]) -> None:
        self.calls.append(("start", trial, params))

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        self.calls.append(("report", trial, step))
        return self.verdict

    def on_end(self, trial: str, complete: bool) -> None:
        self.calls.append(("end", trial))

    def next_to_run(self, new_available: bool) -> Resumption | None:
        named = self.resumptions.pop(0) if self.resumptions else None
        if named is not None:
            self.calls.append(("next", new_available, named.trial))
        return named

    def describe(self) -> str:
        return ""


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


Save = Callable[..., bool]


@pytest.fixture
def save(folder: StudyFolder) -> Save:
    """Writes the next state of a trial, reports, and returns the answer."""

    def save(conductor: Conductor, trial: str, epoch: int, value: float = 0.5) -> bool:
        path = state_path(folder.checkpoints, trial, conductor.record.trials[trial].saves + 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{trial} {epoch}")
        return conductor.reported(trial, report(epoch, value, saved=True))

    return save


@contextmanager
def killed(plan: StudyPlan, folder: StudyFolder) -> Iterator[Conductor]:
    """A driver that dies of an error of its own."""
    with suppress(RuntimeError), open_study(plan, folder, Heard()) as conductor:
        yield conductor
        raise RuntimeError


def next_task(conductor: Conductor) -> TrialTask:
    task = conductor.next_task()
    assert task is not None
    return task


def test_a_trial_that_pauses_gives_its_slot_up_and_goes_on(folder: StudyFolder, save: Save) -> None:
    heard = Heard()
    scheduler = Scripted(None, None, Resumption("0"))
    conductor = conduct(folder, make_plan(scheduler, num_trials=2), heard)
    assert not save(conductor, start(conductor), 3, 0.5)
    assert heard.types[-2:] == ["reported", "decided"]
    assert (heard[-1]["decision"], heard[-1]["reason"], heard[-1]["epoch"]) == ("pause", "so it is", 3)
    assert states(conductor) == ["paused"]
    assert start(conductor) == "1", "the scheduler named nobody"
    task = next_task(conductor)
    assert (task.id, task.epoch, task.saves, task.values, task.front) == ("0", 3, 1, (0.5,), ())
    assert task.params == conductor.record.trials["0"].params
    conductor.started("0")
    assert (heard[-1]["type"], heard[-1]["epoch"]) == ("started", 3)
    scheduler.verdict = GO_ON
    assert conductor.reported("0", report(4, 0.4))
    conductor.ended("0")
    trial = conductor.record.trials["0"]
    assert (trial.state, trial.epochs, trial.value, trial.value_epoch) == ("complete", 4, 0.5, 3)
    assert conductor.record.epochs == 4
    assert trial.seconds == 3 + 4, "of both pieces, each counted from its own beginning"
    assert scheduler.calls[-3:] == [("next", False, "0"), ("report", "0", 4), ("end", "0")]


class Hears(Searcher):
    """Keeps what it is told of pauses and ends."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def suggest(self, number: int) -> dict[str, Any]:
        return {"optimizer.lr": 0.25}

    def on_pause(self, *pause: Any) -> None:
        self.calls.append(("pause", *pause))

    def on_end(self, *end: Any) -> None:
        self.calls.append(("end", *end))


def test_the_searcher_hears_of_a_pause_also_when_the_study_is_resumed(folder: StudyFolder, save: Save) -> None:
    changed = {"optimizer.lr": 0.5}

    def plan(searcher: Hears) -> StudyPlan:
        return replace(make_plan(Scripted(None, Resumption("0", params=changed)), num_trials=1), searcher=searcher)

    live, told = Hears(), Hears()
    with killed(plan(live), folder) as conductor:
        assert not save(conductor, start(conductor), 1)
        assert not save(conductor, start(conductor), 2)
    assert live.calls == [("pause", "0", {"optimizer.lr": 0.25}), ("pause", "0", changed)]
    with killed(plan(told), folder):
        pass
    assert told.calls == live.calls


def test_paused_trials_are_stopped_when_nothing_else_is_left(folder: StudyFolder, save: Save) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(Scripted(), num_trials=2), heard)
    save(conductor, start(conductor), 1)
    second = start(conductor)
    assert not conductor.finished
    assert conductor.next_task() is None
    assert not conductor.finished, "the second runs"
    save(conductor, second, 1)
    assert not conductor.finished, "nobody has asked the scheduler yet"
    assert conductor.next_task() is None
    assert conductor.finished
    conductor.close(interrupted=False)
    assert states(conductor) == ["stopped", "stopped"]
    assert conductor.record.trials["0"].reason == "so it is"
    assert conductor.record.status == "complete"
    assert conductor.record.best is conductor.record.trials["0"]


def test_a_searcher_that_is_exhausted_leaves_the_paused_ones(folder: StudyFolder, save: Save) -> None:
    scheduler = Scripted(None, None, Resumption("0"))
    conductor = conduct(folder, make_plan(scheduler, num_trials=9))
    trial = start(conductor)
    save(conductor, trial, 1)
    conductor._dispatcher._searcher.suggest = lambda number: None  # type: ignore[method-assign]
    assert start(conductor) == trial, "asked again once nothing new is left"
    assert scheduler.calls[-1] == ("next", False, "0")


def test_a_trial_goes_on_with_the_state_of_another_and_other_parameters(folder: StudyFolder, save: Save) -> None:
    heard = Heard()
    params = {"optimizer.lr": 0.5}
    scheduler = Scripted(None, None, Resumption("0", "1", params), Resumption("1"))
    conductor = conduct(folder, make_plan(scheduler, num_trials=2), heard)
    first, second = start(conductor), start(conductor)
    save(conductor, first, 2, 0.3)
    save(conductor, second, 4, 0.9)
    task = next_task(conductor)
    assert (task.id, task.params, task.epoch, task.saves, task.values) == (first, params, 4, 2, (0.3,))
    resumed = {key: heard[-1][key] for key in ("type", "trial", "source", "params", "new")}
    assert resumed == {"type": "resumed", "trial": "0", "source": "1", "params": params, "new": False}
    assert conductor.record.trials["0"].params == params
    start(conductor)
    scheduler.verdict = GO_ON
    save(conductor, second, 6)
    assert state_path(folder.checkpoints, "0", 2).read_text() == "1 4", "whatever its source does"


@pytest.mark.parametrize("usable", [True, False])
def test_a_trial_that_fails_goes_on_from_its_last_state(usable: bool, folder: StudyFolder, save: Save) -> None:
    conductor = conduct(folder, make_plan(Scripted(verdict=GO_ON), num_trials=1, max_retries=1))
    trial = start(conductor)
    assert save(conductor, trial, 3, 0.5)
    conductor.reported(trial, report(4, 0.7))
    conductor.ended(trial, "ValueError")
    task = next_task(conductor)
    assert (task.epoch, task.saves, task.values) == (3, 1, (0.5,))
    if not usable:  # the slot finds out
        conductor.started(trial)
        conductor.fall_back(trial, "it is not there", "Traceback")
        task = next_task(conductor)
        assert (task.epoch, task.saves, task.values) == (0, 0, None)
    conductor.started(trial)
    assert conductor.record.trials[trial].value == (0.5 if usable else None)
    conductor.reported(trial, report(4, 0.6))
    assert conductor.record.trials[trial].value == 0.6, "what a piece reported after the state does not count"
    assert conductor.record.epochs == 4 + (1 if usable else 4), "epochs trained twice count twice"
    assert conductor.record.trials[trial].retries == 1


def test_a_training_that_is_over_is_complete_and_not_paused(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(Scripted(), num_trials=1))
    assert not conductor.reported(start(conductor), report(3, 0.5))
    assert states(conductor) == ["complete"]
    assert conductor.finished


def test_a_scheduler_must_say_that_it_pauses(folder: StudyFolder) -> None:
    scheduler = Scripted()
    scheduler.pauses = False
    conductor = conduct(folder, make_plan(scheduler))
    with pytest.raises(TypeError, match="Scripted paused trial 0, but its `pauses` is false"):
        conductor.reported(start(conductor), report(1, 0.5))


def test_what_is_heard_of_an_earlier_piece_of_work_does_not_count(folder: StudyFolder, save: Save) -> None:
    conductor = conduct(folder, make_plan(Scripted(None, Resumption("0"))))
    first = next_task(conductor)
    conductor.started("0")
    assert conductor.is_current(first)
    save(conductor, "0", 1)
    assert not conductor.is_current(first)
    assert not conductor.reported("0", report(2, 0.5))
    conductor.ended("0", "ValueError: late")
    assert states(conductor) == ["paused"]
    second = next_task(conductor)
    assert conductor.is_current(second)
    assert not conductor.is_current(first)


def test_a_target_and_an_interruption_with_paused_trials(folder: StudyFolder, save: Save) -> None:
    conductor = conduct(folder, make_plan(Scripted(), num_trials=3, target=0.9))
    save(conductor, start(conductor), 1, 0.5)
    save(conductor, start(conductor), 1, 0.95)
    conductor.close(interrupted=False)
    assert states(conductor) == ["stopped", "stopped"]
    assert conductor.record.best is conductor.record.trials["1"]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_paused_trials_stay_paused_for_the_next_driver(lost: int, folder: StudyFolder, save: Save) -> None:
    """Also where the one before died between report and decision; before the report, the trial makes it again."""
    with killed(make_plan(Scripted()), folder) as first:
        save(first, start(first), 3)
    segment = folder.journal / "00000.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[: len(lines) - 1 - lost]))  # the last says that it was closed
    heard = Heard()
    scheduler = Scripted(Resumption("0"))
    with open_study(make_plan(scheduler), folder, heard) as second:
        trial = second.record.trials["0"]
        assert trial.state == ("paused" if lost < 2 else "waiting")
        assert heard.types == (["opened", "decided"] if lost == 1 else ["opened"])
        assert scheduler.calls[0] == ("start", "0", trial.params)
        task = next_task(second)
        assert (task.id, task.epoch) == ("0", 3 if lost < 2 else 0)
        second.close(interrupted=True)
    assert (folder.checkpoints / "0").exists() == (lost < 2)


def test_a_replay_repeats_the_calls(folder: StudyFolder, save: Save) -> None:
    params = {"optimizer.lr": 0.5}
    named = [None, None, Resumption("0", "1", params), Resumption("1"), Resumption("0")]
    live = Scripted(*named)
    with killed(make_plan(live, num_trials=2), folder) as conductor:
        first, second = start(conductor), start(conductor)
        save(conductor, first, 2)
        save(conductor, second, 3)
        assert [start(conductor), start(conductor)] == [first, second]
        save(conductor, first, 4)
        live.verdict = GO_ON
        conductor.reported(second, report(4, 0.5))
        conductor.ended(second)
        assert start(conductor) == first
    told = Scripted(*[each for each in named if each is not None], verdict=GO_ON)
    with open_study(make_plan(told, num_trials=2), folder, Heard()) as again:
        assert told.calls == live.calls
        task = next_task(again)
        assert (task.id, task.params, task.epoch, task.saves) == (first, params, 4, 3)
        again.close(interrupted=True)


def test_states_go_when_the_study_ends(folder: StudyFolder, save: Save) -> None:
    scheduler = Scripted(None, None, Resumption("0"))
    with open_study(make_plan(scheduler, num_trials=2), folder, Heard()) as conductor:
        first, second = start(conductor), start(conductor)
        save(conductor, first, 1)
        save(conductor, second, 1, 0.9)
        start(conductor)
        save(conductor, first, 2)
        assert _files(folder) == {"0": ["resume-1.ckpt", "resume-2.ckpt"], "1": ["resume-1.ckpt"]}
        assert conductor.next_task() is None
        conductor.close(interrupted=False)
    assert _files(folder) == {}


def _files(folder: StudyFolder) -> Mapping[str, list[str]]:
    return {path.name: sorted(file.name for file in path.iterdir()) for path in folder.checkpoints.iterdir()}


def test_the_journal_says_what_happened(folder: StudyFolder, save: Save) -> None:
    conductor = conduct(folder, make_plan(Scripted(None, Resumption("0")), num_trials=1))
    save(conductor, start(conductor), 1)
    start(conductor)
    types = [event["type"] for event in read_journal(folder.journal)]
    assert types == ["opened", "suggested", "started", "reported", "decided", "resumed", "started"]
