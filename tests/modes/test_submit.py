"""`mode=submit` checks a command, writes its job and hands it in."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Ran, compose, run

from raytune_nn.modes.preflight import preflight

pytestmark = pytest.mark.usefixtures("checked_here")

SUBMIT = ("+search=asha", "mode=submit", "cluster=slurm", "cluster.nodes=4")
SBATCH = """#!/bin/bash
printf '%s\\n' "$@" >"$CALLS/call"
[ ! -e "$CALLS/refuses" ] || { echo 'sbatch: error: invalid partition specified' >&2; exit 1; }
echo '4711;north'
"""


@pytest.fixture
def calls(here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an `sbatch` that writes what it was called with beside itself."""
    folder = tmp_path_factory.mktemp("sbatch")
    (folder / "sbatch").write_text(SBATCH)
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("CALLS", str(folder))
    return folder


def inside(script: str) -> list[str]:
    """The command that a script runs, without its interpreter."""
    line = next(line for line in script.splitlines() if line.startswith("COMMAND="))
    return shlex.split(line.removeprefix("COMMAND=(").removesuffix(")"))[1:]


def test_the_job_is_handed_in_and_told(calls: Path, here: Path) -> None:
    ran = run(*SUBMIT, "study.name=first", "budget.num_trials=4")
    assert (ran.code, ran.err) == (0, "")
    script = here / "studies" / "first.slurm" / "job.sh"
    assert (calls / "call").read_text().splitlines() == ["--parsable", str(script)]
    told = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert told["submitted"] == "job 4711, study first: 4 nodes, 32 trials at once"
    assert told["watch"] == f"squeue --job 4711; tail -F {script.with_name('output.log')}"
    assert told["tensorboard"] == f"tensorboard --logdir {here}/studies/first/tb"
    assert told["stop"].startswith("scancel --batch --signal=TERM 4711, ")
    assert not (here / "studies" / "first").exists(), "the study begins in the job"


def test_the_command_inside_is_the_one_that_was_typed(calls: Path, here: Path) -> None:
    (here / "mine").mkdir()
    typed = ("--config-dir", "mine", "study.name=first", "cluster.cpus=16", "cluster.grace_seconds=30", "seed=3")
    ran = run(*SUBMIT, *typed, "cluster.dry_run=true")
    command = inside(ran.out)
    handed_on = ["cluster.cpus=16.0", "cluster.report_every=0.25", "cluster.grace_seconds=30.0"]
    handed_on += ["cluster.wait_minutes=10.0"]
    kept = ["+search=asha", "--config-dir", "mine", "study.name=first", "seed=3"]
    assert sorted(command) == sorted(["-m", "raytune_nn", *kept, "cluster=existing", *handed_on])
    there = compose(*command[2:])
    assert (there.settings.cluster.cpus, there.settings.cluster.grace_seconds, there.settings.seed) == (16, 30, 3)
    assert not (calls / "call").exists()
    assert list(here.iterdir()) == [here / "mine"], "a dry run writes nothing"


def test_a_study_without_a_name_gets_one_that_stays(calls: Path, here: Path) -> None:
    ran = run(*SUBMIT)
    (folder,) = (here / "studies").iterdir()
    name = folder.name.removesuffix(".slurm")
    assert f"study {name}:" in ran.out
    assert f"study.name={name}" in inside((folder / "job.sh").read_text())


def test_a_site_has_an_option_of_its_own(calls: Path, here: Path) -> None:
    (here / "mine" / "cluster").mkdir(parents=True)
    ours = "defaults: [slurm]\npartition: gpu\nsbatch: {constraint: a100}\ngrace_seconds: 60\n"
    (here / "mine" / "cluster" / "ours.yaml").write_text(ours)
    ran = run("+search=asha", "mode=submit", "cluster=ours", "cluster.dry_run=true", "--config-dir", "mine")
    assert "#SBATCH --partition=gpu\n" in ran.out
    assert "#SBATCH --constraint=a100\n" in ran.out
    assert "cluster.grace_seconds=60.0" in inside(ran.out)
    assert "cluster=existing" in inside(ran.out)


@pytest.mark.parametrize(
    ("typed", "rule", "fix"),
    [
        (["cluster=local"], "mode=submit hands in a job to a cluster that takes some", "cluster=slurm"),
        (["mode=run"], "this cluster takes jobs, which mode=submit hands in", "mode=submit"),
        (["~search"], "a job runs a study", "+search=asha"),
        (["cluster.address=auto"], "a job brings a cluster of its own, which has no address yet", "cluster.address="),
        (["study.resume=never"], "a job that runs again resumes its study", "study.resume=auto"),
        (["resources.gpus=1"], "a worker of a trial must fit on a node", "cluster.gpus_per_node=1"),
        (["cluster.min_nodes=9"], "cluster.min_nodes must not be more than the job's nodes", "cluster.min_nodes="),
        (["budget.num_trials=0"], "budget.num_trials", "budget.num_trials="),
        (["+trainer.foo=1"], "trainer.foo must be a keyword of pytorch_lightning.Trainer", "~trainer.foo"),
        (["cluster.node=2"], "cluster.node must be a key of the configuration", "cluster.nodes=2"),
        (["cluster.nodes=many"], "cluster.nodes must be an integer", "cluster.nodes="),
        (["'study.storage=a\\\\b'"], "study.storage must be a path without backslashes", "study.storage=studies"),
    ],
)
def test_what_is_refused_is_not_handed_in(calls: Path, here: Path, typed: Sequence[str], rule: str, fix: str) -> None:
    keys = {text.partition("=")[0] for text in typed}
    base = [
        text for text in SUBMIT if text.partition("=")[0] not in keys and not (keys & {"~search"} and "search" in text)
    ]
    if "cluster" in keys:
        base.remove("cluster.nodes=4")
    ran = run(*base, *(text.strip("'") for text in typed if text != "~search"))
    assert ran.code == 2, ran.out
    assert ran.rule.startswith(rule)
    assert ran.fix.startswith(fix)
    _nothing(calls, here)


def test_a_configuration_that_would_not_compose_in_the_job_is_refused(calls: Path, here: Path) -> None:
    (here / "mine" / "experiment").mkdir(parents=True)
    (here / "mine" / "experiment" / "wide.yaml").write_text("# @package _global_\ncluster: {nodes: 9}\n")
    ran = run(*SUBMIT, "+experiment=wide", "--config-dir", "mine")
    assert (ran.code, ran.rule) == (2, "cluster.nodes is a key of cluster=slurm, a place that takes jobs")


@pytest.mark.parametrize("cluster", ["local", "existing"])
def test_other_clusters_have_no_such_keys(here: Path, cluster: str) -> None:
    ran = run("+search=asha", f"cluster={cluster}", "cluster.nodes=2")
    assert (ran.code, ran.rule) == (2, "cluster.nodes is a key of cluster=slurm, a place that takes jobs")
    assert ran.found == "cluster.nodes=2"
    assert ran.fix == "cluster=slurm"


def test_where_sbatch_refuses_nothing_stays(calls: Path, here: Path) -> None:
    (calls / "refuses").touch()
    ran = run(*SUBMIT, "study.name=first", "study.storage=deep/studies")
    assert (ran.code, ran.rule, ran.found) == (4, *_refusal())
    assert list(here.iterdir()) == []
    (calls / "refuses").unlink()
    run(*SUBMIT, "study.name=first")
    script = here / "studies" / "first.slurm" / "job.sh"
    before = script.read_text()
    (calls / "refuses").touch()
    assert run(*SUBMIT, "study.name=first", "cluster.nodes=2").code == 4
    assert script.read_text() == before, "the job that was taken"


def test_without_sbatch_nothing_stays(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    ran: Ran = run(*SUBMIT)
    assert (ran.code, ran.rule) == (4, "sbatch must be there, as on a login node of SLURM")
    assert list(here.iterdir()) == []


def test_a_study_that_is_finished_is_shown(calls: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list[object]()
    monkeypatch.setattr("raytune_nn.modes.submit.preflight", lambda composed: replace(preflight(composed), exists=True))
    monkeypatch.setattr("raytune_nn.modes.submit.read_finished", lambda plan, folder: "its record")
    monkeypatch.setattr("raytune_nn.modes.submit.show_ending", lambda *what: shown.extend(what))
    assert run(*SUBMIT, "study.name=first").code == 0
    assert shown[-1] == "its record"
    _nothing(calls, here)


def test_the_plan_counts_the_nodes_of_the_job(here: Path) -> None:
    typed = ("cluster=slurm", "cluster.nodes=3", "cluster.gpus_per_node=4", "resources.gpus=0.5", "resources.cpus=2")
    ran = run("+search=asha", "mode=plan", *typed)
    assert "12 trials at once, each 2 CPUs and 0.5 GPUs; 2 share a GPU" in ran.out


def test_it_imports_no_torch() -> None:
    code = "import sys, raytune_nn.modes.submit; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def _refusal() -> tuple[str, str]:
    return "sbatch must take the job", "sbatch: error: invalid partition specified"


def _nothing(calls: Path, here: Path) -> None:
    assert not (calls / "call").exists()
    assert list(here.iterdir()) == []
