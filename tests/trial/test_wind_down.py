"""Trainings that save their states and leave, because their study is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fold_parts import THREE, VALUES, FoldNet, fold_config
from put_back import isolation_undone
from test_training_state import EPOCHS, MIXUP, digits, schedule
from trial_parts import Reports, context

from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.task import StudyContext, TrialTask
from raytune_nn.trial.wind_down import WindDown

PARAMS = {"trainer.max_epochs": EPOCHS}


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def train(study: StudyContext, task: TrialTask, asked_after: int = 10**6, until: int = 10**6) -> tuple[Reports, bool]:
    """Trains until the study, asked for by so many reports, has let it go; returns whether it left for that."""
    reports, isolation = Reports(until), Isolation(threads=1)
    wind_down = WindDown(lambda: len(reports) >= asked_after)
    run_trial(study, task, isolation, reports, wind_down=wind_down)
    isolation.restore(0)
    return reports, wind_down.left


def task(**fields: Any) -> TrialTask:
    return TrialTask("7", PARAMS, (), **fields)


def test_it_leaves_at_the_next_epoch_and_goes_on_to_the_last_bit(tmp_path: Path) -> None:
    config = digits(
        callbacks={"mixup": MIXUP}, lr_scheduler=schedule("OneCycleLR", "step", max_lr=0.05, total_steps=40)
    )
    whole, _ = train(context(config, tmp_path / "whole", waits_at=()), task())
    study = context(config, tmp_path / "parts", waits_at=(), saves_to_leave=True)
    before, left = train(study, task(), asked_after=2)
    assert left
    assert [report.saved for report in before] == [False, False, True]
    assert [report.rung for report in before] == [None] * 3, "that is for states where the scheduler decides"
    after, left = train(study, task(epoch=3, saves=1, values=(before[2].metrics["val_acc"],)))
    assert not left
    assert [report.metrics for report in (*before, *after)] == [report.metrics for report in whole]


def test_at_its_last_epoch_it_ends_instead(tmp_path: Path) -> None:
    study = context(digits(), tmp_path, waits_at=(), saves_to_leave=True)
    reports, left = train(study, task(), asked_after=EPOCHS - 1)
    assert (len(reports), left) == (EPOCHS, False)
    assert not any(report.saved for report in reports)


def test_where_it_can_save_no_state_it_does_not_train_on(tmp_path: Path) -> None:
    trainer = {**digits()["trainer"], "val_check_interval": 0.5}
    study = context(digits(trainer=trainer), tmp_path, waits_at=(), saves_to_leave=True)
    reports, left = train(study, task(), asked_after=2)
    assert left
    assert not any(report.saved for report in reports)
    assert len(reports) < 2 * EPOCHS


@pytest.mark.parametrize("pauses", [False, True])
def test_where_states_are_of_decisions_only_it_trains_on_to_the_next(pauses: bool, tmp_path: Path) -> None:
    """As in a population, or without a grace."""
    study = context(digits(), tmp_path, waits_at=(4,), pauses=pauses)
    reports, left = train(study, task(), asked_after=1)
    assert left is pauses
    assert [report.epoch for report in reports if report.saved] == ([4] if pauses else [])
    assert [report.rung for report in reports if report.saved] == ([4] if pauses else [])
    assert len(reports) == (4 if pauses else EPOCHS)


def test_what_the_scheduler_stops_there_has_not_left(tmp_path: Path) -> None:
    study = context(digits(), tmp_path, waits_at=(3,), pauses=True, saves_to_leave=True)
    reports, left = train(study, task(), asked_after=2, until=3)
    assert (reports[-1].saved, reports[-1].rung, left) == (True, 3, False)


def test_with_folds_it_leaves_between_them(tmp_path: Path) -> None:
    def of_folds(folder: str, begin: TrialTask, asked_after: int) -> tuple[Reports, bool]:
        config = fold_config(VALUES, 2, {})
        FoldNet.traces.clear()
        study = context(config, tmp_path / folder, objective=THREE, waits_at=(), saves_to_leave=True)
        return train(study, begin, asked_after)

    whole, _ = of_folds("whole", TrialTask("7", {}, ()), 9)
    before, left = of_folds("parts", TrialTask("7", {}, ()), 0)
    assert ([report.saved for report in before], before[0].rung, left) == ([True], None, True)
    last = before[0].metrics["val_acc"]
    after, left = of_folds("parts", TrialTask("7", {}, (), (last,), epoch=2, saves=1), 9)
    assert not left
    assert [report.metrics for report in (*before, *after)] == [report.metrics for report in whole]
