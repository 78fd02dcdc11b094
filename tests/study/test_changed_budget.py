"""The same study with more trials than it was made with, or with fewer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hand_study import EPOCHS, SPACE, Heard, make_plan
from random_slots import Slots, a_folder, check_journal, check_winner, outcome

from raytune_nn.search.asha import ASHA
from raytune_nn.search.grid import GridSearcher
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.pbt import PBT
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.scheduler import Scheduler
from raytune_nn.search.searcher import Searcher
from raytune_nn.search.tpe import TPE
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.study.resume import is_finished
from raytune_nn.study.session import StudyPlan, open_study

FINITE = parse_space({"optimizer": {"lr": "choice(1, 2, 3, 4, 5, 6, 7, 8)"}})
Make = tuple[Callable[[Space], Searcher], Space, Callable[[int], Scheduler]]
STUDIES: dict[str, Make] = {
    "random": (lambda space: RandomSearcher(space, 0), SPACE, lambda num_trials: NoScheduler()),
    "grid": (lambda space: GridSearcher(space), FINITE, lambda num_trials: NoScheduler()),
    "tpe": (lambda space: TPE(space, 0), SPACE, lambda num_trials: NoScheduler()),
    "promoting": (lambda space: TPE(space, 0), SPACE, lambda num_trials: ASHA(EPOCHS)),
    "stopping": (lambda space: RandomSearcher(space, 0), SPACE, lambda num_trials: ASHA(EPOCHS, promote=False)),
    "population": (
        lambda space: RandomSearcher(space, 0),
        SPACE,
        lambda num_trials: PBT(num_trials, EPOCHS, space=SPACE),
    ),
}


def plan_of(study: str, num_trials: int, **budget: Any) -> StudyPlan:
    searcher, space, scheduler = STUDIES[study]
    plan = make_plan(scheduler(num_trials), num_trials=num_trials, **budget)
    return replace(plan, searcher=searcher(space), space=space)


def drive(plan: StudyPlan, folder: StudyFolder, steps: int | None = None) -> Slots:
    """From where the study stands to its end, or to an interruption after so many steps."""
    heard = Heard()
    with open_study(plan, folder, heard) as conductor:
        slots = Slots(conductor, folder, heard, seed=3)
        slots.run(steps)
        conductor.close(interrupted=steps is not None)
    return slots


@pytest.mark.parametrize("steps", [None, 20])
@pytest.mark.parametrize("study", STUDIES)
def test_more_trials_go_on_where_the_study_stands(study: str, steps: int | None) -> None:
    with a_folder() as folder, a_folder() as other:
        before = drive(plan_of(study, 5), folder, steps).conductor.record
        ended = [outcome(trial) for trial in before.trials.values() if trial.ended]
        raised = plan_of(study, 8)
        assert not is_finished(before, raised.settings)
        after = drive(raised, folder).conductor.record
        assert list(after.trials) == list("01234567")
        assert all(trial.ended for trial in after.trials.values())
        assert [outcome(after.trials[str(row[0])]) for row in ended] == ended, "what came to its end stays"
        assert is_finished(after, raised.settings)
        assert not is_finished(after, plan_of(study, 9).settings)
        assert is_finished(after, plan_of(study, 4).settings), "and with fewer there is nothing to do"
        check_journal(list(read_journal(folder.journal)), num_trials=8, max_retries=0)
        check_winner(folder, after)
        if study in ("random", "grid"):
            whole = drive(plan_of(study, 8), other).conductor.record
            assert [outcome(trial) for trial in after.trials.values()] == [*map(outcome, whole.trials.values())]


@pytest.mark.parametrize("study", STUDIES)
def test_with_fewer_trials_those_that_began_come_to_their_end(study: str) -> None:
    with a_folder() as folder:
        before = drive(plan_of(study, 6), folder, 12).conductor.record
        begun = list(before.trials)
        assert len(begun) > 2
        after = drive(plan_of(study, 2), folder).conductor.record
        assert list(after.trials) == begun
        assert all(trial.ended for trial in after.trials.values())
        check_winner(folder, after)


def test_a_grid_ends_with_its_last_point_whatever_was_asked_for() -> None:
    with a_folder() as folder:
        for num_trials in (5, 100):
            record = drive(plan_of("grid", num_trials), folder).conductor.record
        assert [trial.params["optimizer.lr"] for trial in record.trials.values()] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_that_has_reached_its_target_has_ended_whatever_is_asked_for(study: str) -> None:
    with a_folder() as folder:
        before = drive(plan_of(study, 5, target=0.5), folder).conductor.record
        assert before.reason.startswith("budget.target")
        assert is_finished(before, plan_of(study, 50, target=0.5).settings)
