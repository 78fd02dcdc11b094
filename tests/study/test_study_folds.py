"""A study whose trials train folds: which mean counts, who wins, and stopping between folds."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hand_study import OBJECTIVE, conduct, make_plan, start, states

from raytune_nn.config.schema import Take
from raytune_nn.search.asha import ASHA
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial_table import trials_csv
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.results import summary
from raytune_nn.study.resume import replay

EPOCHS = 3  # of a fold
THREE = replace(OBJECTIVE, folds=3)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path / "s")
    folder.create()
    return folder


def mean(fold: int, value: float, std: float | None = None) -> Event:
    """What a slot sends after so many folds."""
    metrics = {"val_acc": value} if std is None else {"val_acc": value, "val_acc_std": std}
    kept: Event = {"checkpoint": None, "saved": False}
    return {"epoch": fold * EPOCHS, "step": fold, "seconds": float(fold), "metrics": metrics, **kept}


def train(conductor: Conductor, *means: float) -> str:
    """One trial to its end, with the mean after each fold; the deviation is a tenth of it."""
    trial = start(conductor)
    for fold, value in enumerate(means, start=1):
        if not conductor.reported(trial, mean(fold, value, value / 10 if fold > 1 else None)):
            return trial
    conductor.ended(trial)
    return trial


def rows(record: StudyRecord) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(trials_csv(record))))


@pytest.mark.parametrize("take", Take)
def test_the_mean_of_all_folds_is_the_value_not_that_of_the_luckiest_few(take: Take, folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=replace(THREE, take=take)))
    record = conductor.record
    first, second = train(conductor, 0.9, 0.7, 0.5), train(conductor, 0.4, 0.5, 0.6)
    assert [record.trials[trial].value for trial in (first, second)] == [0.5, 0.6]
    assert record.best is record.trials[second]
    assert (record.trials[first].folds, record.trials[first].epochs) == (3, 3 * EPOCHS)


def test_a_trial_that_lacks_a_fold_competes_but_cannot_win(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(ASHA(3 * EPOCHS, EPOCHS, 2, promote=False), objective=THREE))
    record = conductor.record
    whole, lucky = train(conductor, 0.9, 0.6, 0.6), train(conductor, 0.8)
    assert states(conductor) == ["complete", "stopped"]
    assert record.trials[lucky].value == 0.8
    assert record.final_score(record.trials[lucky]) == 0.8, "what the searcher learns from"
    assert record.best is record.trials[whole]
    assert summary(record)["best"] == {
        "trial": whole,
        "value": 0.6,
        "epoch": 3 * EPOCHS,
        "std": 0.06,
        "folds": 3,
        "params": record.trials[whole].params,
    }


def test_without_a_whole_trial_nobody_wins(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=THREE, max_hours=1.0))
    trial = start(conductor)
    assert conductor.reported(trial, mean(1, 0.9))
    conductor.ending = "budget.max_hours=1 is spent"
    conductor.close(interrupted=False)
    assert (states(conductor), conductor.record.best, conductor.record.status) == (["stopped"], None, "failed")


def test_the_target_is_reached_by_all_folds_only(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=THREE, target=0.8))
    train(conductor, 0.9, 0.85, 0.7)
    assert conductor.ending == ""
    trial = train(conductor, 0.7, 0.75, 0.8)
    assert conductor.ending == "budget.target=0.8 is reached: 0.8"
    assert conductor.record.best is conductor.record.trials[trial]


def test_asha_stops_between_folds_and_the_journal_says_so(folder: StudyFolder) -> None:
    plan = make_plan(ASHA(3 * EPOCHS, EPOCHS, 3, promote=False), objective=THREE)
    conductor = conduct(folder, plan)
    for values in ([0.5, 0.5, 0.5], [0.4, 0.4, 0.4], [0.3], [0.6, 0.2, 0.3], [0.2]):
        train(conductor, *values)
    assert states(conductor) == ["complete", "complete", "stopped", "complete", "stopped"]
    decided = [event for event in read_journal(folder.journal) if event["type"] == "decided"]
    assert [(event["trial"], event["epoch"], event["reason"]) for event in decided] == [
        ("2", 3, "stopped at rung 3: 0.3 < 0.5"),
        ("4", 3, "stopped at rung 3: 0.2 < 0.6"),
    ]
    assert conductor.record.epochs == 3 * 9 + 2 * 3

    again = ASHA(3 * EPOCHS, EPOCHS, 3, promote=False)
    events = list(read_journal(folder.journal))
    assert replay(events, StudyRecord.fold(THREE, events), plan.searcher, again, plan.fidelity) == {}
    assert again.on_report("new", EPOCHS, 0.45).words() == "stopped at rung 3: 0.45 < 0.5"


def test_a_trial_that_begins_anew_counts_its_folds_anew(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=THREE, max_retries=1))
    trial = start(conductor)
    conductor.reported(trial, mean(1, 0.5))
    conductor.reported(trial, mean(2, 0.5))
    conductor.ended(trial, "E: lost")
    train(conductor, 0.9)
    record = conductor.record
    assert (record.trials[trial].folds, record.trials[trial].state) == (1, "complete")
    assert record.best is None, "three reports, but of two attempts"


def test_the_table_has_the_deviation_last(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(ASHA(3 * EPOCHS, EPOCHS, 2, promote=False), objective=THREE))
    train(conductor, 0.5, 0.5, 0.5)
    train(conductor, 0.4)
    table = rows(conductor.record)
    assert list(table[0]) == ["trial", "state", "value", "epochs", "seconds", "params.optimizer.lr", "std"]
    assert [row["std"] for row in table] == ["0.05", ""]


def test_a_study_without_folds_has_no_deviation(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan())
    train(conductor, 0.5, 0.6)  # its module happens to log a metric of that name
    assert "std" not in rows(conductor.record)[0]
    best = summary(conductor.record)["best"]
    assert best is not None
    assert set(best) == {"trial", "value", "epoch", "params"}
