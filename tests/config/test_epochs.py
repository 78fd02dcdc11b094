"""How long a trial is, by its budget and its folds."""

from __future__ import annotations

from typing import Any

import pytest
from command_line import compose
from omegaconf import OmegaConf

from raytune_nn.config.compose import register_marks


def resolved(name: str, folds: int | None) -> Any:
    register_marks()
    tree = {"budget": {"max_epochs": 27}, "objective": {"folds": folds}, "deep": {"er": f"${{epochs:{name}}}"}}
    return OmegaConf.create(tree).deep.er


@pytest.mark.parametrize(
    ("folds", "trial", "first_report"),
    [(None, 27, 1), (2, 54, 27), (5, 135, 27)],
)
def test_a_trial_trains_all_folds_and_reports_after_each(folds: int | None, trial: int, first_report: int) -> None:
    assert resolved("trial", folds) == trial
    assert resolved("first_report", folds) == first_report


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(Exception, match="epochs knows trial and first_report, but not 'fold'"):
        resolved("fold", None)


def test_schedulers_get_it_from_the_command() -> None:
    search = compose("+search=asha", "objective.folds=4", "budget.max_epochs=10").settings.search
    assert search is not None
    assert (search.scheduler["max_epochs"], search.scheduler["grace_period"]) == (40, 10)
