"""A trial with folds that pauses between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from event_files import Run
from fold_parts import THREE, VALUES, FoldNet, fold_config
from put_back import isolation_undone
from trial_parts import Reports, context

from raytune_nn.trial.fit import run_trial
from raytune_nn.trial.isolation import Isolation
from raytune_nn.trial.task import TrialTask


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def train(folder: Path, task: TrialTask, pauses: bool, until: int = 9) -> Reports:
    study = context(fold_config(VALUES, 2, {}), folder, objective=THREE, waits_at=(2, 4), pauses=pauses)
    reports, isolation = Reports(until), Isolation(threads=1)
    FoldNet.traces.clear()
    run_trial(study, task, isolation, reports)
    isolation.restore(0)
    return reports


def test_folds_that_are_done_are_not_trained_again(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", TrialTask("7", {}, ()), pauses=False)
    first = train(tmp_path / "parts", TrialTask("7", {}, ()), pauses=True, until=1)
    last = first[-1].metrics["val_acc"]
    then = train(tmp_path / "parts", TrialTask("7", {}, (), (last,), epoch=2, saves=1), pauses=True)
    assert [report.saved for report in (*first, *then)] == [True, True, False], "after the last there is nothing to do"
    assert [report.rung for report in (*first, *then)] == [2, 4, None]
    seen = [(report.epoch, report.step, report.metrics, report.checkpoint) for report in (*first, *then)]
    assert seen == [(report.epoch, report.step, report.metrics, report.checkpoint) for report in whole]
    boards = [Run(tmp_path / name / "tb" / "7") for name in ("whole", "parts")]
    scalars = [{tag: board.scalars(tag) for tag in board.tags} for board in boards]
    assert scalars[0] == scalars[1]
    models = [
        torch.load(tmp_path / name / "checkpoints/7/model.ckpt", weights_only=True) for name in ("whole", "parts")
    ]
    assert models[0]["epoch"] == models[1]["epoch"] == 0, "that of the third fold's first epoch"
