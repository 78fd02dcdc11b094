"""Bad commands: exit code 2, one message with the rule and what to type, and nothing is created."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run

import raytune_nn

TYPOS = {
    "modl=cnn": "modl must be a key of the configuration",
    "model=cnnn": "model must be one of its options",
    "optimizer.lrr=0.1": "optimizer.lrr must be a key of the configuration",
    "+optimizer.lrr=0.1": "optimizer.lrr must be a keyword of torch.optim.AdamW",
    "budget.num_trails=3": "budget.num_trails must be a key of the configuration",
    "+foo=1": "foo must be a key of the configuration",
    "mode=plann": "mode must be one of run, plan, report, reproduce",
    "+search=ahsa": "search must be one of its options",
    "search/searcher=random": "a searcher or scheduler belongs to a search",
    "--confg-dir x": "a flag must be one of those",
    "+search=asha --multirun": "one command runs one study",
}
SPACES = {
    "search_space=mpl": "search_space must be one of its options",
    "~search_space": "a search needs a search_space that is not empty",
    "search_space.optimizer.lr.low=1": "search_space.optimizer.lr: low <= high must hold",
    "search_space.optimizer.lr.low=0": "search_space.optimizer.lr: low > 0 must hold for loguniform",
    """'search_space.optimizer.lr="loguniform(0, 1)"'""": "search_space.optimizer.lr: low > 0 must hold",
    "search_space.optimizer.lr.dist=loguniformm": "search_space.optimizer.lr: a distribution must be one of",
    "search_space.optimizer.lr=0.1": "search_space.optimizer.lr must be a distribution",
    "search_space.model.net.width.options=[]": "search_space.model.net.width: options must hold at least one value",
    """'+search_space.optimizer.momentum="uniform(0, 1)"'""": "every path of search_space must exist",
    """'+search_space.optimizer.lrr="uniform(0, 1)"'""": "every path of search_space must exist",
    """'+search_space.budget.max_epochs="randint(1, 9)"'""": "only model, data, optimizer, lr_scheduler",
    """'search_space.model.net.depth="uniform(1, 3)"'""": "search_space.model.net.depth must give values like the 2",
    "'+search_space.model.net.choose={a: {}, b: {}}'": "`choose` must stand at a config group, and model.net is none",
    "'+search_space.optimizer.choose={adagrad: {}}'": "every branch of search_space.optimizer.choose must compose",
    "optimizer=sgd optimizer.momentum=0.5 '+search_space.optimizer.choose={sgd: {}, adam: {}}'": (
        "every branch of search_space.optimizer.choose must compose"
    ),
    "optimizer=from_model": "every path of search_space must exist",
    "search.scheduler.grace_period=0": "ASHA's grace_period must be an integer of at least 1",
    "search.scheduler._target_=os.system": "search.scheduler._target_ must be a Scheduler",
    "search.searcher._target_=nope.Searcher": "search.searcher._target_ must be importable",
}
TARGETS = {
    "model._target_=nope.Model": "model._target_ must be importable",
    "model._target_=raytune_nn.nn.Clasification": "model._target_ must be importable",
    "model._target_=torch.nn.Linear": "model._target_ must be a LightningModule",
    "model.net._target_=os.system": "model.net._target_ must be a class of torch or Lightning",
    "optimizer._target_=torch.optim.Adamm": "optimizer._target_ must be importable",
    "model._target_=null": "model must name its class by _target_",
    "~model.net": "model must give 'net', which raytune_nn.nn.Classification needs",
    "+trainer.logger=true": "trainer.logger is set by the tuner itself",
    "optimizer=from_model": "optimizer=from_model needs a model with configure_optimizers of its own",
}
VALUES = {
    "budget.num_trials=many": "budget.num_trials must be an integer",
    "budget.num_trials=0": "budget.num_trials must be greater than 0",
    "budget.max_epochs=-1": "budget.max_epochs must be greater than 0",
    "objective.mode=maximise": "objective.mode must be max or min",
    "resources.cpus=9999": "one trial must fit the cluster: resources.cpus <= cluster.cpus",
    "resources.gpus=nan": "resources.gpus must not be negative",
    "failures.max_retries=-1": "failures.max_retries must not be negative",
    "verbose=3": "verbose must be 0, 1 or 2",
    "trainer.max_epochs=3": "trainer.max_epochs must be budget.max_epochs",
}
PLACES = {
    "--config-dir nowhere": "--config-dir must be a folder that exists",
    "hydra.searchpath=[file:///nowhere]": "a config dir must exist",
    "study.storage=/proc/x": "study.storage must be writable",
    "study.storage=/etc/passwd/x": "study.storage must be a folder",
    "study.name=a/b": "study.name must be a plain folder name",
    "study.name=nope study.resume=must": "study.resume=must wants a study that exists",
    "mode=report": "mode=report needs the name of a study",
    "mode=report study.name=nope": "there must be a study of this name",
}
COMMANDS = [
    *((command, rule) for table in (TYPOS, TARGETS, VALUES, PLACES) for command, rule in table.items()),
    *((f"+search=asha {command}", rule) for command, rule in SPACES.items()),
]


def check(code: int, out: str, err: str, rule: str) -> None:
    assert code == 2
    assert out == ""
    assert err.startswith(f"raytune_nn: {rule}"), err
    assert "\n  try:   " in err
    assert not err.rstrip().endswith("try:")
    assert "Traceback" not in err
    assert "Warning" not in err


@pytest.mark.parametrize(("command", "rule"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_bad_command(here: Path, command: str, rule: str) -> None:
    ran = run(*shlex.split(command))
    check(ran.code, ran.out, ran.err, rule)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        "+search=asha search_space.optimizer.lr.low=1",
        "optimiser.lr=0.1",
        "+search=asha study.storage=/proc/x",
        "--config-dir nowhere",
    ],
)
def test_a_bad_command_in_a_process_of_its_own(tmp_path: Path, command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(raytune_nn.__file__).parent.parent)}
    ran = subprocess.run(
        [sys.executable, "-m", "raytune_nn", *shlex.split(command)],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    check(ran.returncode, ran.stdout, ran.stderr, "")
    assert list(tmp_path.iterdir()) == []
