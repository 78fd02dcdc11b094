"""A trial that runs out of memory on a GPU that it shares is tried again with one to itself, when others are done."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand_study import Heard, conduct, make_plan, report, start, states, train

from raytune_nn.config.schema import Placement, ResourcesConfig
from raytune_nn.search.asha import ASHA
from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.folder import StudyFolder
from raytune_nn.study.conductor import Conductor
from raytune_nn.study.trial_endings import ALONE_AND_FAILED, ALONE_NEXT
from raytune_nn.study.tuner import _placement
from raytune_nn.trial.task import TrialTask

OUT = "Traceback\ntorch.OutOfMemoryError: CUDA out of memory"


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "s")


def run_out(conductor: Conductor, *values: float) -> str:
    """The next trial, to its end for want of memory."""
    trial = start(conductor)
    for epoch, value in enumerate(values, start=1):
        assert conductor.reported(trial, report(epoch, value))
    conductor.ended(trial, OUT, out_of_memory=True)
    return trial


def test_it_is_tried_again_alone_after_all_others(folder: StudyFolder) -> None:
    heard = Heard()
    conductor = conduct(folder, make_plan(num_trials=3), heard)
    trial = run_out(conductor, 0.9)
    assert heard[-1] | {"time": 0.0} == {
        "type": "retried",
        "time": 0.0,
        "trial": trial,
        "error": OUT,
        "reason": ALONE_NEXT,
        "alone": True,
    }
    record = conductor.record.trials[trial]
    assert (record.state, record.reason, record.retries) == ("waiting", ALONE_NEXT, 0)
    assert [train(conductor, 0.5) for _ in range(2)] == ["1", "2"]
    assert not conductor.finished
    task = conductor.next_task()
    assert task is not None
    assert (task.id, task.alone) == (trial, True)
    conductor.started(trial)
    conductor.reported(trial, report(1, 0.9))
    conductor.ended(trial)
    assert states(conductor) == ["complete"] * 3
    assert record.reason == ""
    assert conductor.finished


def test_it_costs_no_retry_and_is_worth_none(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=1, max_retries=1))
    trial = run_out(conductor)
    start(conductor)
    conductor.ended(trial, "ValueError: x")
    record = conductor.record.trials[trial]
    assert (record.state, record.retries) == ("waiting", 1)
    run_out(conductor)
    assert (record.state, record.reason) == ("failed", ALONE_AND_FAILED)
    (cause,) = conductor.record.causes.of_failures
    assert cause.error == OUT
    assert conductor.finished


def test_the_next_driver_remembers(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(num_trials=3))
    trial = run_out(conductor)
    interrupted = start(conductor)
    conductor.close(interrupted=True)
    conductor = conduct(folder, make_plan(num_trials=3))
    tasks = [conductor.next_task() for _ in range(3)]
    assert [(task.id, task.alone) for task in tasks if task] == [(interrupted, False), ("2", False), (trial, True)]
    conductor.started(trial)
    conductor.ended(trial, OUT, out_of_memory=True)
    assert conductor.record.trials[trial].reason == ALONE_AND_FAILED


def test_it_goes_on_from_its_last_state(folder: StudyFolder) -> None:
    conductor = conduct(folder, make_plan(ASHA(9), num_trials=1))
    trial = start(conductor)
    path = state_path(folder.checkpoints, trial, 1)
    path.parent.mkdir(parents=True)
    path.touch()
    assert not conductor.reported(trial, report(1, 0.5, saved=True))
    assert start(conductor) == trial
    conductor.ended(trial, OUT, out_of_memory=True)
    task = conductor.next_task()
    assert task is not None
    assert (task.epoch, task.alone) == (1, True)


def test_its_hours_are_those_of_a_whole_gpu(folder: StudyFolder) -> None:
    plan = make_plan(num_trials=2, max_gpu_hours=1.0)
    plan.settings.resources.gpus = 0.25
    conductor = conduct(folder, plan)
    trial = start(conductor)
    assert conductor.reported(trial, report(1, 0.5, seconds=7200))
    conductor.ended(trial, OUT, out_of_memory=True)
    conductor.next_task()
    assert start(conductor) == trial
    assert conductor.reported(trial, report(1, 0.5, seconds=1700))
    assert not conductor.reported(trial, report(2, 0.5, seconds=1800))
    assert conductor.ending == "budget.max_gpu_hours=1 is spent"


def test_its_task_asks_for_a_whole_gpu() -> None:
    resources = ResourcesConfig(cpus=2, gpus=0.25, memory=1.5, workers=1, placement=Placement.pack)
    bundle = {"CPU": 2.0, "memory": 1.5 * 2**30}
    shared, alone = TrialTask("0", {}, ()), TrialTask("1", {}, (), alone=True)
    assert _placement(resources, shared).bundles == [{**bundle, "GPU": 0.25}]
    assert _placement(resources, alone).bundles == [{**bundle, "GPU": 1.0}]
    assert _placement(resources, shared) == _placement(resources, TrialTask("2", {}, ())), "so that actors are reused"
