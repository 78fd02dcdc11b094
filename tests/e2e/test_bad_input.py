"""Bad commands: exit code 2, one message with the rule and what to type, and nothing is created."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import inside, refused, run

import raytune_nn
from raytune_nn.modes.preflight import preflight

TYPOS = {
    "modl=cnn": "modl must be a key of the configuration",
    "model=cnnn": "model must be one of its options",
    "optimizer.lrr=0.1": "optimizer.lrr must be a key of the configuration",
    "+optimizer.lrr=0.1": "optimizer.lrr must be a keyword of torch.optim.AdamW",
    "budget.num_trails=3": "budget.num_trails must be a key of the configuration",
    "+foo=1": "foo must be a key of the configuration",
    "mode=plann": "mode must be one of run, plan, report, doctor, reproduce",
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
    """'+search_space.budget.max_epochs="randint(1, 9)"'""": "only model, data, init, optimizer, param_groups",
    """'search_space.model.net.depth="uniform(1, 3)"'""": "search_space.model.net.depth must give values like the 2",
    "'+search_space.model.net.choose={a: {}, b: {}}'": "`choose` must stand at a config group, and model.net is none",
    "'+search_space.optimizer.choose={adagrada: {}}'": "every branch of search_space.optimizer.choose must compose",
    "optimizer=sgd optimizer.momentum=0.5 '+search_space.optimizer.choose={sgd: {}, adam: {}}'": (
        "every branch of search_space.optimizer.choose must compose"
    ),
    "optimizer=from_model": "every path of search_space must exist",
    "search.scheduler.grace_period=0": "ASHA's grace_period must be an integer of at least 1",
    "search.scheduler._target_=os.system": "search.scheduler._target_ must be a Scheduler",
    "search.searcher._target_=nope.Searcher": "search.searcher._target_ must be importable",
}
SCHEDULES = {
    "+search=asha search.scheduler.grace_period=28": "ASHA's grace_period must not exceed max_epochs",
    "+search=asha search.scheduler.max_epochs=81": "the scheduler must decide within the epochs of a trial",
    "+search=asha +trainer.val_check_interval=0.5": "where trials pause, each must validate at the ends of epochs only",
    "+search=asha search.scheduler.promote=false checkpoints.keep_states=rungs": (
        "checkpoints.keep_states=rungs keeps the states with which trials pause"
    ),
    "+search=asha search.fidelity=step": "with search.fidelity=step the scheduler counts in that unit",
    "+search=pbt search/searcher=tpe": "a population changes its parameters itself, so only random search",
    "+search=pb2 search/searcher=grid": "a population changes its parameters itself, so only random search",
    "+search=pbt 'search.scheduler.perturb=[model.net.width]'": "search.scheduler.perturb must leave the network",
    "+search=pbt '+search_space.optimizer.choose={sgd: {}, adam: {}}' 'search.scheduler.perturb=[optimizer]'": (
        "search.scheduler.perturb must leave the network, the optimizer's class"
    ),
    "+search=grid": "a grid needs finite distributions",
    "+search=asha 'search.points=[{optimizer.lr: 5}]'": "search.points[0]: optimizer.lr must be in loguniform",
    "+search=asha search.warm_start=nope": "search.warm_start must be the folder of a study",
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
    "failures.no_report_timeout=0": "failures.no_report_timeout must be seconds, more than 0, or null for no limit",
    "failures.stop_after=0": "failures.stop_after must be at least 1 trial, or null for never",
    "verbose=3": "verbose must be 0, 1 or 2",
    "trainer.max_epochs=3": "trainer.max_epochs must be budget.max_epochs",
    "data.num_workers=2": "data.num_workers must not be more than the CPUs of a trial",
    "+search=asha '+search_space.data.num_workers=\"choice(0, 4)\"'": "data.num_workers must not be more than the CPUs",
}
TWO = "+search=nsga2 objective.metric=[val_acc,val_loss] objective.mode=[max,min]"
OBJECTIVES = {
    "objective.metric=[]": "objective.metric must be the name of a metric that the module logs, or a list of names",
    "objective.metric=[val_acc,3] objective.mode=[max,min]": "objective.metric must be the name of a metric",
    "objective.metric=[val_acc,val_acc] objective.mode=[max,max]": "objective.metric must name each metric once",
    "+search=nsga2 objective.metric=[val_acc,val_loss]": "objective.mode must say max or min once for each entry",
    "+search=nsga2 objective.mode=[max,min]": "objective.mode must say max or min once for each entry",
    f"{TWO} objective.mode=[max,least]": "objective.mode must be max or min, for each metric",
    f"{TWO} search/scheduler=asha": "a scheduler judges trials by one score",
    f"{TWO} search/searcher=cmaes": "CMA-ES follows one objective",
    f"{TWO} budget.target=0.9": "budget.target is a value of one metric",
    f"{TWO} objective.folds=3": "objective.folds takes the mean of one metric",
    f"{TWO} callbacks=early_stopping": "where objective.metric is a list, what watches it must name one",
    f"{TWO} '+search_space.lr_scheduler={{choose: {{none: {{}}, plateau: {{}}}}}}'": "where objective.metric is a list",
}
TABLE = "data=table data.path=FILES/train.csv data.target=income"
IMAGES = "data=idx data.images=FILES/train-images-idx3-ubyte.gz data.labels=FILES/train-labels-idx1-ubyte.gz"
# What only building can find: the command, what the message says was found, and what it tells to type.
BUILT = {
    "data=idx data.images=nope data.labels=nope": ("nope: must be a file that can be read", "data.images=…"),
    "data=idx data.images=FILES/sms.tsv data.labels=FILES/sms.tsv": ("sms.tsv: an IDX file", "data.images=…"),
    "data=image_folder data.path=nope": ("nope", "data.path=…"),
    "data=text data.path=nope.tsv model=recurrent": ("nope.tsv", "data.path=…"),
    "data=text data.path=FILES/train.tsv data.text_column=txt model=recurrent": ("txt", "data.text_column=…"),
    "data=audio data.path=FILES/sms.tsv model=audio_cnn": ("sms.tsv", "data.path=…"),
    "data=table data.path=nope.csv data.target=income": ("nope.csv", "data.path=…"),
    "data=table data.path=FILES/train.csv data.target=incom": ("incom", "data.target=…"),
    f"{TABLE} data.drop=[agee]": ("agee", ""),
    f"{TABLE} model=cnn": ("TableDataModule has no in_channels", "another model or data, or model.net.in_channels=…"),
    f"{TABLE} model=mlp_regression": ("TableDataModule has no num_targets", ""),
    f"{IMAGES} model=vae data.standardise=true": ("reconstruction=bernoulli wants x in 0..1", ""),
    "data=text data.path=FILES/train.tsv": ("TextDataModule has no num_features", ""),
    "model=cnn data.image=false": ("CNN wants images of shape", "data.image=true, or another model"),
    "model=recurrent": ("DigitsDataModule has no vocab_size", ""),
    "model.net.activation=rleu": ("but got 'rleu'", "model.net.activation=…"),
    "model.net.depth=-1": ("depth", "model.net.depth=…"),
    "model.num_classes=3": ("must give (batch, num_classes) = (64, 3), but gave (64, 10)", ""),
    "data.batch_size=0": ("batch_size", "data.batch_size=…"),
    "data.val_fraction=1.5": ("val_fraction", "data.val_fraction=…"),
    "init=orthogonal init.gain=x": ("gain must be auto or a number, but got 'x'", "init.gain=…"),
    "optimizer.lr=-1": ("ValueError: Invalid learning rate: -1", "optimizer.lr=…"),
    "optimizer.lr=fast": ("TypeError", "optimizer.lr=…"),
    "lr_scheduler=cosine optimizer.betas=[2,3]": ("Invalid beta parameter", ""),
    "lr_scheduler=one_cycle lr_scheduler.scheduler.pct_start=2": ("pct_start", "lr_scheduler.scheduler.pct_start=…"),
    "callbacks=mixup callbacks.mixup.alpha=-1": ("alpha", "callbacks.mixup.alpha=…"),
    "callbacks=freeze callbacks.freeze.names=nett": ("nett", ""),
    "trainer.precision=31": ("Precision 31 is invalid", "trainer.precision=…"),
    "trainer.precision=16-mixed": ("a CPU", "trainer.precision=bf16-mixed"),
    "trainer.accelerator=gpuu": ("gpuu", "trainer.accelerator=…"),
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
    *(
        (command, rule)
        for table in (TYPOS, SCHEDULES, TARGETS, VALUES, OBJECTIVES, PLACES)
        for command, rule in table.items()
    ),
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


@pytest.mark.parametrize("command", [*BUILT, "mode=plan optimizer.lr=-1", "mode=lr_range model.net.depth=-1"])
@pytest.mark.usefixtures("checked_here")
def test_what_cannot_begin_a_trial(here: Path, files: Path, command: str) -> None:
    ran = run(*shlex.split(command.replace("FILES", str(files))))
    found, fix = BUILT[re.sub(r"^mode=\w+ ", "", command)]
    check(ran.code, ran.out, ran.err, "")
    assert found in ran.found
    assert ran.fix == fix or not fix
    assert list(here.iterdir()) == []


def test_a_placeholder_that_every_trial_replaces(here: Path) -> None:
    """The study begins; where the trials cannot be built either, it is refused."""
    space = "search_space={model: {net: {activation: 'choice(relu, tanh)'}}}"
    command = ("+search=random", "~search_space", f"+{space}", "model.net.activation=chosen")
    size = inside(lambda composed: preflight(composed).targets.run(), *command)
    assert size is not None
    assert size.model > 0
    worse = [word.replace("relu, tanh", "rleu, tahn") for word in command]
    ran = refused(*worse, task=lambda composed: preflight(composed).targets.run())
    assert ran.found.endswith(("'rleu'", "'tahn'"))
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
