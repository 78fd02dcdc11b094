"""`mode=plan` says what a command would do, and does none of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import run

from raytune_nn.cluster.resources import Capacity

pytestmark = pytest.mark.usefixtures("checked_here")

LR = "search_space.optimizer.lr"


def planned(*arguments: str) -> dict[str, str]:
    """The rows of a plan by their names."""
    ran = run("mode=plan", *arguments)
    assert (ran.code, ran.err) == (0, "")
    rows = [line.split(maxsplit=1) for line in ran.out.partition("\n\nwarning: ")[0].splitlines()]
    return dict(rows)


def test_a_study(here: Path) -> None:
    rows = planned("+search=asha", "study.name=first", "budget.num_trials=5", "cluster.cpus=3", "resources.cpus=1.5")
    assert rows["study"] == f"{here}/studies/first"
    assert rows["objective"] == "the highest val_acc; a trial's best report counts"
    assert rows["trials"] == "5"
    assert rows["epochs"] == "27 a trial, at most 135 in all"
    assert rows["rungs"] == "1, 3, 9, 27"
    assert rows["scheduler"].startswith("ASHA: ")
    assert rows["slots"] == "2 trials at once, each 1.5 CPUs"
    assert rows["space"] == "a continuum"
    assert rows["model.net.width"] == "choice(32, 64, 128, 256)"
    assert rows["optimizer.lr"] == "loguniform(0.0001, 0.1)"


def test_trials_of_several_workers(here: Path) -> None:
    there = ("+search=asha", "cluster.cpus=6", "resources.workers=2")
    assert planned(*there)["slots"] == "3 trials at once, each 2 workers of 1 CPU"
    assert planned(*there, "cluster.gpus=4", "resources.gpus=1")["slots"] == (
        "2 trials at once, each 2 workers of 1 CPU and 1 GPU"
    )


@pytest.mark.usefixtures("here")
def test_a_cluster_that_is_to_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ("127.0.0.1:6379", Capacity(cpus=4, gpus=0, slots=4, most=16))
    monkeypatch.setattr("raytune_nn.modes.preflight.find_capacity", lambda settings: there)
    plan = planned("+search=random", "budget.num_trials=40", "budget.max_epochs=9")
    assert plan["slots"] == "4 trials at once, 16 when the cluster has grown, each 1 CPU"
    assert ": 34 models" in plan["disk"], "of 16 that run, 16 that are written, the best and its copy"


def test_a_single_training(here: Path) -> None:
    rows = planned("objective.mode=min", "objective.take=last", "cluster.cpus=1", "cluster.gpus=1", "resources.gpus=1")
    assert rows["study"].startswith(f"{here}/studies/20")
    assert rows["study"].endswith("_train_mlp_digits")
    assert rows["objective"] == "the lowest val_acc; a trial's last report counts"
    assert rows["trials"] == "1"
    assert rows["rungs"] == "none"
    assert rows["slots"] == "1 trial at once, each 1 CPU and 1 GPU"
    assert rows["space"] == "none: a single training"


@pytest.mark.usefixtures("here")
def test_the_disk_that_a_study_needs() -> None:
    without_copies = ("budget.num_trials=5", "budget.max_epochs=9", "cluster.cpus=2", "checkpoints.every_minutes=null")
    interrupted = planned("+search=random", *without_copies)["disk"]
    assert ", 6 training states of " in interrupted, "what runs then saves two, and 2 write"
    few = (*without_copies, "cluster.grace_seconds=0")
    plain = planned("+search=random", *few)["disk"]
    assert plain.startswith("at most about ")
    assert ": 6 models of 0.7 MB, and 0.1 MB of reports" in plain, "3 hidden layers of 256: the largest searched"
    assert "training states" not in plain
    assert ", 12 training states of " in planned("+search=asha", *few)["disk"], "all may pause with two, and 2 write"
    assert ", 6 training states of " in planned("+search=random", *few[:3])["disk"]
    last, rungs = (f"checkpoints.keep_states={which}" for which in ("last", "rungs"))
    assert ", 11 training states of " in planned("+search=random", *few[:3], last)["disk"], "one of each trial more"
    asha, pbt = planned("+search=asha", *few, rungs)["disk"], planned("+search=pbt", *few, rungs)["disk"]
    assert ", 12 training states of " in asha, "5 at 1 and 3, and 2 write"
    assert ", 12 training states of " in pbt, "5 at 3 and 6"
    copies = planned("+search=asha", *few[:3], rungs)["disk"]
    assert ", 19 training states of " in copies, "each may have one beside, and 2 train"
    assert ": 8 models" in planned("+search=random", *few, "checkpoints.keep_best=4")["disk"]
    assert ": 8 models" in planned("+search=asha", *few)["disk"], "what waits at a rung keeps its model"
    assert ": 3 models" in planned("cluster.cpus=2")["disk"]


@pytest.mark.usefixtures("here")
def test_trials_that_share_a_gpu() -> None:
    there = ("+search=random", "cluster.cpus=8", "cluster.gpus=2")
    assert planned(*there, "resources.gpus=0.25")["slots"] == (
        "8 trials at once, each 1 CPU and 0.25 GPUs; 4 share a GPU"
    )
    assert planned(*there, "resources.gpus=0.6")["slots"] == "2 trials at once, each 1 CPU and 0.6 GPUs"


@pytest.mark.parametrize("mode", ["plan", "run"])
def test_a_gpu_without_room_is_refused_before_anything_starts(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    tool = tmp_path_factory.mktemp("bin") / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 0, 10240, 14336\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent))
    ran = run(f"mode={mode}", "+search=random", "cluster.cpus=2", "cluster.gpus=1", "resources.gpus=0.25")
    assert (ran.code, ran.rule) == (2, "the free memory of a GPU must hold the trials that share it")
    assert ran.found.startswith("10.0 of 24.0 GiB are free on GPU 0")
    assert list(here.iterdir()) == []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("take", "report"), [("best", "best report by val_acc"), ("last", "last report")])
def test_a_study_of_several_metrics(take: str, report: str) -> None:
    lists = ("objective.metric=[val_acc,val_loss]", "objective.mode=[max,min]")
    rows = planned("+search=nsga2", *lists, f"objective.take={take}")
    front = "the Pareto front of the highest val_acc and the lowest val_loss"
    assert rows["objective"] == f"{front}; a trial's {report} counts"


@pytest.mark.usefixtures("here")
def test_a_study_with_folds() -> None:
    rows = planned("+search=asha", "objective.folds=3", "budget.num_trials=4", "budget.max_epochs=9")
    assert rows["objective"] == "the highest val_acc, as the mean of 3 folds; a fold's best report counts"
    assert rows["epochs"] == "9 a fold, 27 a trial, at most 108 in all"
    assert rows["rungs"] == "9, 27"
    assert rows["scheduler"] == "ASHA: up to 27, pauses at 9 until in the best 1/3 there"


@pytest.mark.usefixtures("here")
def test_a_finite_space_is_counted() -> None:
    space = "+search_space={model: {net: {depth: 'randint(1, 3)', norm: 'choice(none, layer)'}}}"
    rows = planned("+search=random", "~search_space", space)
    assert rows["space"] == "6 points"
    assert rows["rungs"] == "none"


def test_nothing_is_started_or_created(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    planned("+search=asha", "study.storage=here/there", "study.name=first")
    assert list(here.iterdir()) == []


def test_an_existing_study_is_pointed_out(here: Path) -> None:
    ran = run("study.name=first", "+debug=tiny", "verbose=0", "trainer=cpu")
    assert ran.code == 0, ran.err
    before = sorted(here.rglob("*"))
    rows = planned("study.name=first", "+debug=tiny", "trainer=cpu")
    assert rows["study"] == f"{here}/studies/first (exists: resumes)"
    assert sorted(here.rglob("*")) == before
    different = run("mode=plan", "study.name=first", "+debug=tiny", "trainer=cpu", "seed=3")
    assert (different.code, different.rule) == (2, "study first exists and was made from another configuration")
    assert different.found == "seed: 0 -> 3"


@pytest.mark.parametrize(
    ("override", "rule"),
    [
        ("optimizer=from_model", "optimizer=from_model needs a model with configure_optimizers of its own"),
        ("+optimizer.lrr=1", "optimizer.lrr must be a keyword of torch.optim.AdamW"),
        ("trainer.max_epochs=3", "trainer.max_epochs must be budget.max_epochs"),
        ("~trainer.max_epochs", "trainer.max_epochs must be budget.max_epochs"),
        (f"seed={2**63}", "seed must fit into 64 bits"),
        ("study.name=", "study.name must be a plain folder name"),
        ("checkpoints.keep_best=0", "checkpoints.keep_best must be at least 1: the winner's model always stays"),
        ("checkpoints.every_minutes=0", "checkpoints.every_minutes must be positive, or null for no safety copies"),
        ("checkpoints.min_free=-1", "checkpoints.min_free must be 0 or more MB"),
        ("checkpoints.min_free=1e15", "study.storage must have checkpoints.min_free MB free, or no trial is started"),
        ("failures.storage_timeout=-1", "failures.storage_timeout must be 0 (no wait) or more seconds"),
        ("checkpoints.keep_states=all", "checkpoints.keep_states must be one of none, last, rungs"),
        (
            "checkpoints.keep_states=rungs",
            "checkpoints.keep_states=rungs keeps the states with which trials pause, and wants a scheduler that pauses",
        ),
    ],
)
def test_a_plan_is_checked_to_the_end(here: Path, override: str, rule: str) -> None:
    ran = run("mode=plan", override)
    assert (ran.code, ran.rule) == (2, rule)
    assert list(here.iterdir()) == []


@pytest.mark.usefixtures("here")
def test_each_choice_is_checked_beside_the_others_and_not_beside_a_base_that_no_trial_trains() -> None:
    choices = ("optimizer.choose={adam: {}, adamw: {}}", "lr_scheduler.choose={cosine: {}, step: {}}")
    typed = ["+search=asha", "optimizer=from_model", *(f"+search_space.{choice}" for choice in choices)]
    assert planned(*typed)["lr_scheduler"] == "choice(cosine, step)"
    ran = run("mode=plan", *typed, "++lr_scheduler.scheduler.eta_min=1")
    assert ran.rule == "lr_scheduler.scheduler.eta_min must be a keyword of torch.optim.lr_scheduler.StepLR"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "choice",
    [
        'optimizer._target_="choice(torch.optim.AdamW, os.system)"',
        'lr_scheduler="choice({scheduler: null}, {scheduler: {_target_: os.system}})"',
        'trainer.plugins="choice([{_target_: os.system}])"',
    ],
)
def test_every_option_that_changes_what_is_called_is_checked(choice: str) -> None:
    ran = run("mode=plan", "+search=asha", "+trainer.plugins=null", f"+search_space.{choice}")
    assert (ran.code, ran.found) == (2, "os.system, a builtin_function_or_method")
