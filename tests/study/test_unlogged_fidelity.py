"""A study whose fidelity is a metric that the module does not log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hand_study import conduct, make_plan, report, start, states

from raytune_nn.config.fidelity import Fidelity
from raytune_nn.errors import ConfigError
from raytune_nn.store.folder import StudyFolder


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


def test_a_fidelity_that_nobody_logs_makes_the_study_invalid(folder: StudyFolder) -> None:
    conductor = conduct(folder, replace(make_plan(), fidelity=Fidelity("samples")))
    assert not conductor.reported(start(conductor), report(1, 0.5))
    conductor.close(interrupted=False)
    assert (conductor.record.status, conductor.record.reason) == ("invalid", "samples is not logged")
    assert isinstance(conductor.fault, ConfigError)
    assert conductor.fault.rule.startswith("search.fidelity must be epoch, step or a metric that the module logs")
    assert (conductor.fault.found, conductor.fault.fix) == (
        "samples; the module logs loss, val_acc",
        "search.fidelity=step",
    )


def test_a_fidelity_that_others_have_logged_is_missed_by_one_trial_only(folder: StudyFolder) -> None:
    conductor = conduct(folder, replace(make_plan(num_trials=2), fidelity=Fidelity("val_loss")))
    metrics = {"val_acc": 0.5, "val_loss": 7.0}
    first, second = start(conductor), start(conductor)
    assert conductor.reported(first, {**report(1, None), "metrics": metrics})
    assert not conductor.reported(second, report(1, 0.5))
    assert states(conductor) == ["running", "failed"]
    assert conductor.record.trials["1"].reason == "val_loss is not logged"
    assert not conductor.finished
