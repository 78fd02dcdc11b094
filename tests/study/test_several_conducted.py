"""A study of several metrics, call by call, and what it leaves."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hand_study import TWO, conduct, make_plan, make_settings, report, start, states, train

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.errors import ConfigError
from raytune_nn.search.none import NoScheduler
from raytune_nn.search.random import RandomSearcher
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial_table import trials_csv
from raytune_nn.study.budget import check_budget
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.results import summary
from raytune_nn.study.resume import replay


class Told(RandomSearcher):
    """Keeps what it is told of scores."""

    def __init__(self) -> None:
        super().__init__(make_plan().space, 0)
        self.calls: list[tuple[Any, ...]] = []

    def on_report(self, *report: Any) -> None:
        self.calls.append(report)

    def on_end(self, trial: str, params: object, *end: Any) -> None:
        self.calls.append((trial, *end))


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


def ends_with(conductor: Conductor, *reports: tuple[float, float]) -> str:
    """One trial with these accuracies and losses, an epoch each."""
    trial = start(conductor)
    for epoch, (value, loss) in enumerate(reports, start=1):
        if not conductor.reported(trial, report(epoch, value, loss=loss)):
            return trial
    conductor.ended(trial)
    return trial


def test_a_task_knows_the_front(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=TWO, num_trials=4))
    for values in [(0.5, 0.5), (0.6, 0.7), (0.4, 0.9)]:
        ends_with(conductor, values)
    task = conductor.next_task()
    assert task is not None
    assert (task.front, task.values) == (((0.6, 0.7), (0.5, 0.5)), None)


def test_a_trial_diverges_by_any_metric(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=TWO, num_trials=2))
    ends_with(conductor, (0.5, 0.5), (0.6, math.nan), (0.7, 0.1))
    ends_with(conductor, (math.inf, 0.5))
    assert states(conductor) == ["diverged", "diverged"]
    reasons = [trial.reason for trial in conductor.record.trials.values()]
    assert reasons == ["loss was nan at epoch 2", "val_acc was inf at epoch 1"]


@pytest.mark.parametrize("others", [False, True])
def test_every_metric_must_be_logged(folder: StudyFolder, others: bool) -> None:
    """Where no trial logs one the study is wrong; it is the trial where others have."""
    conductor = conduct(folder, make_plan(objective=TWO, num_trials=2))
    if others:
        ends_with(conductor, (0.5, 0.5))
    lacking = {**report(1, 0.5), "metrics": {"val_acc": 0.5, "val_loss": 0.25}}
    trial = start(conductor)
    assert not conductor.reported(trial, lacking)
    if others:
        record = conductor.record.trials[trial]
        assert (record.state, record.reason, conductor.fault) == ("failed", "loss is not logged", None)
        return
    assert isinstance(conductor.fault, ConfigError)
    assert conductor.fault.found == "loss; the module logs val_acc, val_loss"
    assert conductor.fault.fix == "'objective.metric=[val_acc,val_loss]' 'objective.mode=[max,min]'"


def test_a_searcher_hears_all_scores_also_when_it_is_told_again(folder: StudyFolder) -> None:
    plan, told, again = make_plan(objective=TWO, num_trials=2), Told(), Told()
    object.__setattr__(plan, "searcher", told)
    conductor = conduct(folder, plan)
    ends_with(conductor, (0.5, 0.25), (0.75, 0.5))
    ends_with(conductor, (0.5, math.nan))
    assert told.calls == [("0", 1, 0.5), ("0", 2, 0.75), ("0", (0.75, -0.5), "complete"), ("1", None, "diverged")]
    events = list(read_journal(folder.journal))
    replay(events, StudyRecord.fold(TWO, events), again, NoScheduler(), plan.fidelity)
    assert again.calls == told.calls


def test_the_results_have_the_front(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=TWO, num_trials=4))
    for reports in [[(0.5, 0.5)], [(0.4, 0.2), (0.6, 0.7)], [(0.6, 0.8)], [(0.9, math.nan)]]:
        ends_with(conductor, *reports)
    conductor.close(interrupted=False)
    told = json.loads(json.dumps(summary(conductor.record)))
    first, second = (conductor.record.trials[id].params for id in "01")
    assert told["objective"] == {"metric": ["val_acc", "loss"], "mode": ["max", "min"]}
    assert told["best"] == {"trial": "1", "value": 0.6, "values": [0.6, 0.7], "epoch": 2, "params": second}
    assert told["pareto_front"] == [
        {"trial": "1", "values": [0.6, 0.7], "epoch": 2, "params": second},
        {"trial": "0", "values": [0.5, 0.5], "epoch": 1, "params": first},
    ]
    table = list(csv.DictReader(io.StringIO(trials_csv(conductor.record))))
    assert list(table[0])[-3:] == ["params.optimizer.lr", "value.loss", "pareto_front"]
    cells = [(row["value"], row["value.loss"], row["pareto_front"]) for row in table]
    assert cells == [("0.5", "0.5", "true"), ("0.6", "0.7", "true"), ("0.6", "0.8", "false"), ("", "", "false")]


def test_one_metric_has_no_front(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=1))
    train(conductor, 0.5)
    told = summary(conductor.record)
    assert "pareto_front" not in told
    assert told["objective"] == {"metric": "val_acc", "mode": "max"}
    assert "values" not in told["best"]
    assert trials_csv(conductor.record).splitlines()[0].endswith("seconds,params.optimizer.lr")


def test_a_study_without_a_winner_has_an_empty_front(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(objective=TWO, num_trials=1))
    ends_with(conductor, (math.nan, 0.5))
    conductor.close(interrupted=False)
    assert (summary(conductor.record)["best"], summary(conductor.record)["pareto_front"]) == (None, [])
    assert conductor.record.status == "failed"


def test_three_metrics_have_two_more_columns(folder: StudyFolder) -> None:
    three = Objective("val_acc", True, Take.best, further=(Goal("loss", False), Goal("acc", True)))
    head = trials_csv(StudyRecord(three)).strip()
    assert head == "trial,state,value,epochs,seconds,value.loss,value.acc,pareto_front"


def test_no_target_ends_a_study_of_several() -> None:
    with pytest.raises(ConfigError, match=r"budget\.target is a value of one metric") as raised:
        check_budget(make_settings(target=0.5).budget, TWO)
    assert raised.value.fix == "budget.target=null"
