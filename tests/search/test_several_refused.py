"""Which searchers and schedulers go with several objectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import inside, refused

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.modes.preflight import preflight
from raytune_nn.search.gp import GaussianProcess
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.nsga2 import NSGA2
from raytune_nn.search.optuna_searcher import OptunaSearcher
from raytune_nn.search.points import PointsFirst
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.tpe import TPE
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal
from raytune_nn.study.session import StudyPlan

pytestmark = pytest.mark.usefixtures("here")
LISTS = ("objective.metric=[val_acc,val_loss]", "objective.mode=[max,min]")


def planned(*arguments: str) -> StudyPlan:
    return inside(lambda composed: preflight(composed).plan, *arguments, *LISTS)


@pytest.mark.parametrize(("search", "kind"), [("tpe", TPE), ("gp", GaussianProcess), ("nsga2", NSGA2)])
def test_a_searcher_that_learns_is_told_how_many_there_are(search: str, kind: type[OptunaSearcher]) -> None:
    plan = planned(f"+search={search}")
    assert isinstance(plan.searcher, kind)
    assert len(plan.searcher._study.directions) == 2
    assert plan.objective == Objective("val_acc", True, Take.best, further=(Goal("val_loss", False),))


@pytest.mark.parametrize("search", ["random", "quasi_random"])
def test_one_that_does_not_learn_need_not_know(search: str) -> None:
    assert planned(f"+search={search}").searcher.suggest(0)


def test_points_come_first_here_too() -> None:
    plan = planned("+search=nsga2", "search.points=[{optimizer.lr: 0.01}]")
    assert isinstance(plan.searcher, PointsFirst)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("+search=asha", "ASHA"),
        ("+search=pbt budget.num_trials=4", "PBT"),
        ("+search=pb2 budget.num_trials=4", "PB2"),
        ("+search=nsga2 search/scheduler=median", "Median"),
        ("+search=tpe search/scheduler=patience", "Patience"),
    ],
)
def test_schedulers_are_refused(command: str, kind: str) -> None:
    ran = refused(*command.split(), *LISTS, task=preflight)
    assert ran.rule.startswith("a scheduler judges trials by one score")
    assert ran.found.startswith(kind)
    mend, _, other = ran.fix.partition(", or ")
    assert isinstance(planned(*command.split(), mend).scheduler, NoScheduler), "mended as told"
    one = inside(lambda composed: preflight(composed).plan, *command.split(), *LISTS, *other.split())
    assert one.objective == Objective("val_acc", True, Take.best), "or otherwise"


def test_a_searcher_that_follows_one_score_is_refused() -> None:
    ran = refused("+search=cmaes", *LISTS, task=preflight)
    assert ran.rule.startswith("CMA-ES follows one objective")
    assert isinstance(planned("+search=cmaes", ran.fix).searcher, NSGA2)


def write_earlier(path: Path, metric: object, mode: object, params: dict[str, Any], space: Space) -> None:
    """A study with one complete trial."""
    folder = StudyFolder(path)
    folder.create()
    folder.config.write_text(yaml.safe_dump({"objective": {"metric": metric, "mode": mode}}))
    folder.space.write_text(yaml.safe_dump(space.to_mapping()))
    journal = Journal(folder.journal)
    journal.append("opened", name=folder.name)
    journal.append("suggested", trial="0", params=params)
    journal.append("started", trial="0")
    metrics = {"val_acc": 0.5, "val_loss": 0.25}
    journal.append("reported", trial="0", epoch=1, step=1, seconds=1.0, metrics=metrics)
    journal.append("ended", trial="0", state="complete", reason="")
    journal.close()


def test_a_warm_start_learns_all_scores(here: Path) -> None:
    space = planned("+search=nsga2").space
    params = RandomSearcher(space, 0).suggest(0)
    write_earlier(here / "first", ["val_acc", "val_loss"], ["max", "min"], params, space)
    searcher = planned("+search=nsga2", "search.warm_start=first").searcher
    assert isinstance(searcher, NSGA2)
    searcher.suggest(0)
    assert searcher._study.get_trials()[0].values == [0.5, -0.25]


@pytest.mark.parametrize(
    ("metric", "mode", "fix"),
    [
        ("val_acc", "max", "objective.metric=val_acc objective.mode=max"),
        (["val_acc", "val_loss"], ["max", "max"], "'objective.metric=[val_acc,val_loss]' 'objective.mode=[max,max]'"),
        (["val_loss", "val_acc"], ["min", "max"], "'objective.metric=[val_loss,val_acc]' 'objective.mode=[min,max]'"),
    ],
)
def test_a_warm_start_wants_the_same_metrics(here: Path, metric: object, mode: object, fix: str) -> None:
    space = planned("+search=nsga2").space
    write_earlier(here / "first", metric, mode, RandomSearcher(space, 0).suggest(0), space)
    ran = refused("+search=nsga2", "search.warm_start=first", *LISTS, task=preflight)
    assert ran.rule == "search.warm_start must be a study with the same objective, and first is not"
    assert ran.fix == f"{fix}, or search.warm_start=null"
