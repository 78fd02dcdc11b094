"""The one command that follows from what was found."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from made_findings import EXPLODES, OVER_FITS, PRESSED, found, made

from raytune_nn.report.doctor.prescription import after_study, after_trial
from raytune_nn.report.study import Study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return made(tmp_path)


def overrides(command: str) -> list[str]:
    return [word for word in shlex.split(command)[3:] if not word.startswith("study.")]


def test_a_wider_space_comes_before_what_single_trials_show(study: Study) -> None:
    seen = found(study, OVER_FITS, ill=12, of_study=(PRESSED,))
    assert overrides(after_study(study, seen)) == [
        *("+search=asha", "search_space.optimizer.lr.high=1.0", "callbacks=probes")
    ]


def test_the_most_common_kind_is_mended_in_the_next_study(study: Study) -> None:
    assert overrides(after_study(study, found(study, OVER_FITS, ill=9)))[1] == "model.net.dropout=0.3"


def test_what_is_sampled_is_not_set_for_all_trials(study: Study) -> None:
    assert overrides(after_study(study, found(study, EXPLODES, ill=9))) == ["+search=asha", "callbacks=probes"]


def test_a_trial_is_trained_alone_with_the_first_advice(study: Study) -> None:
    trial = study.record.trials["3"]
    assert overrides(after_trial(study, trial, [OVER_FITS, EXPLODES])) == [
        *("optimizer.lr=0.01", "model.net.dropout=0.3")
    ]
    assert after_trial(study, trial, []) == ""
