"""Warm start: what a searcher hears of an earlier study, and which studies are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import inside, refused

from raytune_nn.config.fidelity import EPOCHS, Fidelity
from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.modes.preflight import preflight
from raytune_nn.search.random import RandomSearcher
from raytune_nn.search.searcher import Searcher
from raytune_nn.search.tpe import TPE
from raytune_nn.search.warm_start import warm_start
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import Journal

SPACE = parse_space({"optimizer": {"lr": "loguniform(1e-4, 1e-1)", "choose": {"sgd": {}, "adamw": {}}}})
OBJECTIVE = {"metric": "val_loss", "mode": "min"}
LOSS = Objective("val_loss", False, Take.best)
PARAMS = {"optimizer": "sgd", "optimizer.lr": 0.01}


class Told(RandomSearcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(SPACE, 0)
        self.calls: list[tuple[Any, ...]] = []

    def on_report(self, *report: Any) -> None:
        self.calls.append(report)

    def on_end(self, *end: Any) -> None:
        self.calls.append(end)


@pytest.fixture
def earlier(here: Path) -> StudyFolder:
    """A study of four trials, of which one still ran when its driver died."""
    folder = StudyFolder(here / "studies" / "first")
    config = inside(
        lambda composed: composed.config, "+search=random", "objective.metric=val_loss", "objective.mode=min"
    )
    write(folder, SPACE, config)
    return folder


def write(folder: StudyFolder, space: Space, config: dict[str, Any], params: dict[str, Any] = PARAMS) -> None:
    folder.create()
    folder.config.write_text(yaml.safe_dump(config))
    folder.space.write_text(yaml.safe_dump(space.to_mapping()))
    journal = Journal(folder.journal)
    journal.append("opened", name=folder.name)
    for trial, losses in enumerate([(3.0, 2.0), (5.0,), (float("nan"),), (4.0,)]):
        journal.append("suggested", trial=str(trial), params=params)
        journal.append("started", trial=str(trial))
        for epoch, loss in enumerate(losses, start=1):
            metrics = {"val_loss": loss, "val_acc": -loss}
            journal.append("reported", trial=str(trial), epoch=epoch, step=10 * epoch, seconds=1.0, metrics=metrics)
        if trial < 3:
            journal.append("ended", trial=str(trial), state=("complete", "stopped", "diverged")[trial], reason="")
    journal.close()


def test_it_hears_reports_and_ends_in_their_order(earlier: StudyFolder) -> None:
    told = Told()
    warm_start(told, "studies/first", SPACE, LOSS, EPOCHS)
    trials = [f"{earlier.path}/{number}" for number in range(4)]
    assert told.calls == [
        (trials[0], 1, -3.0),
        (trials[0], 2, -2.0),
        (trials[0], PARAMS, -2.0, "complete"),
        (trials[1], 1, -5.0),
        (trials[1], PARAMS, -5.0, "stopped"),
        (trials[2], PARAMS, None, "diverged"),
        (trials[3], 1, -4.0),
    ]


def test_it_hears_the_parameters_that_gave_a_value(earlier: StudyFolder) -> None:
    """A population changes them on the way."""
    changed = {"optimizer": "sgd", "optimizer.lr": 0.05}
    journal = Journal(earlier.journal)
    journal.append("suggested", trial="4", params=PARAMS)
    for epoch, loss in enumerate((2.0, 3.0)):
        journal.append("started", trial="4", epoch=epoch)
        content = {"step": 10, "seconds": 1.0, "metrics": {"val_loss": loss}, "saved": True}
        journal.append("reported", trial="4", epoch=epoch + 1, **content)
        journal.append("resumed", trial="4", source=None, params=changed, new=False)
    journal.append("ended", trial="4", state="complete", reason="")
    journal.close()
    told = Told()
    warm_start(told, "studies/first", SPACE, LOSS, EPOCHS)
    assert told.calls[-1] == (f"{earlier.path}/4", PARAMS, -2.0, "complete")


@pytest.mark.usefixtures("earlier")
def test_it_hears_what_this_study_counts() -> None:
    def heard(fidelity: str) -> list[int]:
        told = Told()
        warm_start(told, "studies/first", SPACE, LOSS, Fidelity(fidelity))
        return [call[1] for call in told.calls if len(call) == 3 and isinstance(call[1], int)]

    assert heard("step") == [10, 20, 10, 10]
    assert heard("samples") == [], "the other study did not log them"


@pytest.mark.usefixtures("earlier")
def test_what_this_study_counts_must_be_whole_numbers_there() -> None:
    with pytest.raises(ConfigError, match=r"in which search\.fidelity=val_acc is a whole number") as caught:
        warm_start(Told(), "studies/first", SPACE, LOSS, Fidelity("val_acc"))
    assert caught.value.found == "-3.0 at epoch 1 of trial 0 of first"
    assert caught.value.fix == "search.fidelity=step, or search.warm_start=null"


@pytest.mark.usefixtures("earlier")
def test_another_space_is_refused_with_the_difference() -> None:
    other = parse_space(
        {"optimizer": {"lr": "loguniform(1e-5, 1e-1)", "choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {}}}}
    )
    with pytest.raises(ConfigError, match="over the same search_space, and first is not") as caught:
        warm_start(Told(), "studies/first", other, LOSS, EPOCHS)
    assert str(caught.value.found).split("\n         ") == [
        "",
        "optimizer.lr (optimizer=adamw): loguniform(0.0001, 0.1) -> loguniform(1e-05, 0.1)",
        "optimizer.lr (optimizer=sgd): loguniform(0.0001, 0.1) -> loguniform(1e-05, 0.1)",
        "optimizer.momentum (optimizer=sgd): absent -> uniform(0.0, 1.0)",
    ]


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize("objective", [Objective("val_acc", False, Take.best), Objective("val_loss", True, Take.best)])
def test_another_objective_is_refused(objective: Objective) -> None:
    with pytest.raises(ConfigError, match="with the same objective, and first is not") as caught:
        warm_start(Told(), "studies/first", SPACE, objective, EPOCHS)
    assert caught.value.found == "val_loss, min"
    assert caught.value.fix.startswith("objective.metric=val_loss objective.mode=min")


def test_a_folder_without_a_study_is_refused(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"search\.warm_start must be the folder of a study"):
        warm_start(Told(), str(here), SPACE, LOSS, EPOCHS)


def test_a_command_over_another_space_is_refused_and_creates_nothing(here: Path) -> None:
    plan = inside(lambda composed: preflight(composed).plan, "+search=tpe")
    write(StudyFolder(here / "studies" / "first"), plan.space, plan.config, RandomSearcher(plan.space, 0).suggest(0))
    command = ("+search=asha", "search.warm_start=studies/first", "search_space.optimizer.lr.low=1e-5")
    ran = refused(*command, task=preflight)
    assert "over the same search_space, and first is not" in ran.rule
    assert ran.found == "optimizer.lr: loguniform(0.0001, 0.1) -> loguniform(1e-05, 0.1)"
    assert ran.fix.endswith("search.warm_start=null")
    assert [path.name for path in (here / "studies").iterdir()] == ["first"]


def test_a_command_begins_with_the_points_and_knows_the_earlier_study(here: Path) -> None:
    command = ("+search=tpe", "search.searcher.startup_trials=1")
    plan = inside(lambda composed: preflight(composed).plan, *command)
    params = RandomSearcher(plan.space, 0).suggest(0)
    write(StudyFolder(here / "studies" / "first"), plan.space, plan.config | {"objective": OBJECTIVE}, params)

    def searcher(*more: str) -> Searcher:
        made: Searcher = inside(lambda composed: preflight(composed).plan.searcher, *command, *more)
        return made

    started = searcher("search.warm_start=studies/first", "objective.metric=val_loss", "objective.mode=min")
    assert isinstance(started, TPE)
    started.suggest(0)
    values = [trial.value for trial in started._study.get_trials()[:3]]
    assert values == [-2.0, -5.0, None], "complete, stopped and diverged"

    second = json.dumps(params).replace('"', "")  # Hydra takes no quotes around keys
    first = searcher(f"search.points=[{{optimizer.lr:0.05}},{second}]")
    suggested = [first.suggest(number) for number in range(2)]
    assert suggested[0] is not None
    assert suggested[0]["optimizer.lr"] == 0.05
    assert suggested[1] == params
