"""The record of a study against its journal."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_events import journals

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.store.journal import Event, Journal, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import ENDED, TrialRecord

MAX = Objective("val_acc", True, Take.best)
objectives = st.builds(Objective, st.just("val_acc"), st.booleans(), st.sampled_from(Take))
several = settings(max_examples=150, deadline=None)


def events(*entries: tuple[Any, ...]) -> list[Event]:
    """Events a second apart, written short: ("reported", "0", epoch, value, seconds)."""
    made: list[Event] = [{"type": "opened", "time": 100.0, "name": "s"}]
    for number, (kind, trial, *rest) in enumerate(entries, start=1):
        event: Event = {"type": kind, "time": 100.0 + number}
        if kind == "opened":
            event["time"] += 1000.0
        else:
            event["trial"] = trial
        if kind == "suggested":
            event["params"] = {"lr": 0.1}
        elif kind == "reported":
            event |= {"epoch": rest[0], "metrics": {"val_acc": rest[1]}, "seconds": rest[2] if len(rest) > 2 else 0.0}
        elif kind == "ended":
            event |= {"state": rest[0], "reason": "", "error": ""}
        elif kind == "retried":
            event["error"] = "E"
        elif kind == "checkpointed":
            event["folder"] = rest[0]
        made.append(event)
    return made


def one_trial(trial: str, *values: float, end: str = "complete") -> list[tuple[Any, ...]]:
    """The life of a trial with a report an epoch."""
    reports = [("reported", trial, epoch, value, 1.0 * epoch) for epoch, value in enumerate(values, start=1)]
    return [("suggested", trial), ("started", trial), *reports, ("ended", trial, end)]


def fold(objective: Objective, *entries: tuple[Any, ...]) -> StudyRecord:
    return StudyRecord.fold(objective, events(*entries))


@several
@given(journals(), objectives)
def test_a_fold_of_the_file_is_what_the_driver_had_live(entries: list[Event], objective: Objective) -> None:
    live = StudyRecord(objective)
    with tempfile.TemporaryDirectory() as name, patch("os.fsync"):
        journal = Journal(Path(name))
        for event in entries:
            live.apply(journal.append(**{key: value for key, value in event.items() if key != "time"}))
        journal.close()
        folded = StudyRecord.fold(objective, read_journal(Path(name)))
    assert _text(folded) == _text(live), "as texts: NaN equals itself nowhere else"


def _text(record: StudyRecord) -> str:
    return repr({**vars(record), "kept": record.kept.trials})


@several
@given(journals(), objectives)
def test_the_sums_are_those_of_the_events(entries: list[Event], objective: Objective) -> None:
    record = StudyRecord.fold(objective, entries)
    assert +record.counts == Counter(trial.state for trial in record.trials.values())
    assert sum(record.counts.values()) == len(record.trials) == sum(e["type"] == "suggested" for e in entries)
    attempts: dict[tuple[str, int], Event] = {}  # (trial, attempt) -> last report
    begins: dict[tuple[str, int], int] = {}  # -> epochs trained before
    attempt: Counter[str] = Counter()
    for event in entries:
        if event["type"] == "started":
            attempt[event["trial"]] += 1
            begins[event["trial"], attempt[event["trial"]]] = event.get("epoch", 0)
        elif event["type"] == "reported":
            attempts[event["trial"], attempt[event["trial"]]] = event
    assert record.epochs == sum(event["epoch"] - begins[key] for key, event in attempts.items())
    assert record.busy_seconds == sum(event["seconds"] for event in attempts.values())
    assert record.busy_seconds == sum(trial.seconds for trial in record.trials.values())
    starts = [index for index, event in enumerate(entries) if event["type"] == "opened"]
    ends = [*[index - 1 for index in starts[1:]], len(entries) - 1]
    spans = [entries[end]["time"] - entries[start]["time"] for start, end in zip(starts, ends, strict=True)]
    assert record.wall_seconds == pytest.approx(sum(spans))
    assert record.wall_until(entries[-1]["time"] + 7) == pytest.approx(sum(spans) + 7)


@several
@given(journals(), objectives)
def test_the_best_is_the_first_to_end_of_the_best(entries: list[Event], objective: Objective) -> None:
    reports: dict[str, list[tuple[int, float]]] = {}
    scores: dict[str, float] = {}  # of the successful, in the order of their ends
    for event in entries:
        if event["type"] == "started":
            kept = event.get("epoch", 0)  # it goes on from there, or begins anew
            reports[event["trial"]] = [made for made in reports.get(event["trial"], []) if made[0] <= kept]
        elif event["type"] == "reported" and "val_acc" in event["metrics"]:
            reports[event["trial"]].append((event["epoch"], event["metrics"]["val_acc"]))
        elif event["type"] == "ended" and event["state"] in ("complete", "stopped"):
            made = [value for _, value in reports[event["trial"]]]
            if objective.take is Take.last:
                made = made[-1:]
            made = [value if objective.maximise else -value for value in made if not math.isnan(value)]
            if made:
                scores[event["trial"]] = max(made)
    record = StudyRecord.fold(objective, entries)
    if not scores:
        assert record.best is None
    else:
        assert record.best is not None
        assert record.best.id == max(scores, key=lambda trial: scores[trial]), "max gives the first of equals"
        assert record.final_score(record.best) == scores[record.best.id]


def test_a_trial_that_diverged_or_failed_is_never_the_best_and_has_no_score() -> None:
    record = fold(
        MAX,
        *one_trial("0", 0.9, float("nan"), end="diverged"),
        *one_trial("1", 0.8, end="failed"),
        *one_trial("2", 0.1, end="stopped"),
    )
    assert record.best is record.trials["2"]
    assert [record.final_score(trial) for trial in record.trials.values()] == [None, None, 0.1]
    assert record.trials["0"].value is None
    assert record.trials["0"].value_epoch is None
    assert record.trials["0"].metrics == {}
    assert {state: record.counts[state] for state in ENDED} == {"complete": 0, "stopped": 1, "diverged": 1, "failed": 1}


@pytest.mark.parametrize(
    ("objective", "value", "epoch"),
    [
        (Objective("val_acc", True, Take.best), 0.9, 2),
        (Objective("val_acc", False, Take.best), 0.2, 1),
        (Objective("val_acc", True, Take.last), 0.5, 4),
    ],
)
def test_the_report_that_counts(objective: Objective, value: float, epoch: int) -> None:
    record = fold(objective, *one_trial("0", 0.2, 0.9, 0.9, 0.5))
    trial = record.trials["0"]
    assert (trial.value, trial.value_epoch, trial.metrics) == (value, epoch, {"val_acc": value})
    assert record.best is trial


def test_another_attempt_begins_from_nothing_but_its_seconds_and_epochs_were_spent() -> None:
    record = fold(
        MAX,
        ("suggested", "0"),
        ("started", "0"),
        ("reported", "0", 1, 0.9, 2.0),
        ("reported", "0", 2, 0.8, 4.0),
        ("retried", "0"),
        ("started", "0"),
        ("reported", "0", 1, 0.3, 2.5),
    )
    trial = record.trials["0"]
    assert (trial.state, trial.value, trial.epochs, trial.retries) == ("running", 0.3, 1, 1)
    assert [cause.error for cause in record.causes.of_retries] == ["E"]
    assert (trial.seconds, record.busy_seconds, record.epochs) == (6.5, 6.5, 3)


def test_a_start_that_was_written_twice_counts_once() -> None:
    life = one_trial("0", 0.5)
    record = fold(MAX, *life[:2], *life[1:])
    assert +record.counts == Counter(complete=1)
    assert (record.epochs, record.busy_seconds) == (1, 1.0)


def test_a_new_driver_takes_up_the_running_trials() -> None:
    record = fold(MAX, *one_trial("0", 0.5)[:-1], *one_trial("1", 0.4), ("opened", ""))
    assert [trial.state for trial in record.trials.values()] == ["waiting", "complete"]
    assert record.status == "running"
    assert record.wall_seconds == 7.0, "of the first driver: from 100 to its last event"


def test_how_the_study_ended_is_forgotten_when_it_goes_on() -> None:
    closed: Event = {"type": "closed", "time": 200.0, "status": "complete", "reason": "budget.max_hours=1 is spent"}
    opened: Event = {"type": "opened", "time": 300.0, "name": "other"}
    record = StudyRecord.fold(MAX, [*events(*one_trial("0", 0.5)), closed])
    assert (record.status, record.reason) == ("complete", "budget.max_hours=1 is spent")
    record.apply(opened)
    assert (record.status, record.reason) == ("running", "")
    assert record.study["name"] == "s", "the first driver made the study"


def test_a_checkpoint_and_events_of_later_versions() -> None:
    record = fold(MAX, ("suggested", "0"), ("checkpointed", "0", "folder"), ("unheard-of", "0"))
    assert record.trials["0"].checkpoint == "folder"


FIRST, SECOND = {"lr": 0.1}, {"lr": 0.5}


def population_member(*entries: tuple[str, dict[str, Any]]) -> TrialRecord:
    """A trial that reported 0.6 at epoch 2, was paused, and goes on with other parameters."""
    begun: list[tuple[str, dict[str, Any]]] = [
        ("suggested", {"params": FIRST}),
        ("started", {}),
        ("reported", {"epoch": 2, "metrics": {"val_acc": 0.6}, "seconds": 1.0, "saved": True}),
        ("decided", {"decision": "pause", "reason": "so"}),
        ("resumed", {"source": None, "params": SECOND}),
        ("started", {"epoch": 2}),
    ]
    lives = [{"type": type, "trial": "0", "time": 100.0, **fields} for type, fields in (*begun, *entries)]
    return StudyRecord.fold(MAX, [*events(), *lives]).trials["0"]


def reported(epoch: int, value: float) -> tuple[str, dict[str, Any]]:
    return "reported", {"epoch": epoch, "metrics": {"val_acc": value}, "seconds": 1.0}


def test_the_parameters_of_a_value_are_those_that_gave_it() -> None:
    worse, better = population_member(reported(4, 0.5)), population_member(reported(4, 0.7))
    assert (worse.value, worse.params, worse.value_params) == (0.6, SECOND, FIRST)
    assert (better.value, better.params, better.value_params) == (0.7, SECOND, SECOND)


def test_a_trial_that_goes_on_from_its_state_has_the_value_of_then_and_its_parameters() -> None:
    lost: list[tuple[str, dict[str, Any]]] = [reported(4, 0.7), ("retried", {"error": "E"})]
    back = population_member(*lost, ("started", {"epoch": 2}))
    assert (back.value, back.params, back.value_params) == (0.6, SECOND, FIRST)
    anew = population_member(*lost, ("started", {}))
    assert (anew.value, anew.value_params) == (None, SECOND), "the present ones, with which it will report"
    again = population_member(*lost, ("started", {}), reported(1, 0.2))
    assert (again.value, again.value_params) == (0.2, SECOND)


@pytest.mark.parametrize(("value", "score"), [(0.5, -0.5), (float("nan"), None), (float("inf"), None)])
def test_the_score_of_a_report_is_finite_or_none(value: float, score: float | None) -> None:
    record = StudyRecord(Objective("loss", False, Take.best))
    assert record.score({"loss": value}) == score
    assert record.score({"acc": value}) is None
