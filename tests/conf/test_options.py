"""Every option of every group: its header's command composes to it, passes preflight, and builds."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import compose, inside
from lightning_fabric.utilities.exceptions import MisconfigurationException

from raytune_nn.config.compose import Composed, conf_dir
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.space.merge import merge_params
from raytune_nn.trial.build import Built, build_trial

CONF = Path(conf_dir())
OPTIONS = sorted(str(path.relative_to(CONF).with_suffix("")) for path in CONF.rglob("*.yaml"))
COMMAND = re.compile(r"^#\s+python -m raytune_nn(?: (.*?))?(?:\s{3,}.*)?$", re.MULTILINE)
OWN_MODEL = """
import pytorch_lightning as pl, torch
class Mine(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""


@pytest.fixture
def mine(here: Path) -> None:
    """The user's folder that some headers speak of."""
    (here / "my_conf/model").mkdir(parents=True)
    (here / "my_conf/model/mine.yaml").write_text("_target_: mine.Mine\n")
    (here / "mine.py").write_text(OWN_MODEL)


def commands(option: str) -> list[list[str]]:
    """The commands in the comment at the top of a file, without their program."""
    header = re.match(r"(?:#.*\n)+", (CONF / f"{option}.yaml").read_text())
    return [shlex.split(typed) for typed in COMMAND.findall(header[0])] if header else []


def build(config: dict[str, Any]) -> Built:
    return build_trial(
        config,
        logger=False,
        callbacks=[],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def check_and_build(composed: Composed) -> Built:
    """Both stages of preflight in this process, and a trial of the study."""
    checked: Checked = preflight(composed)
    checked.targets.run()
    plan = checked.plan
    params = plan.space.sample(random.Random(0))
    return build(merge_params(plan.config, plan.branches, params))


def test_all_groups_are_here() -> None:
    groups = {option.rpartition("/")[0] for option in OPTIONS}
    assert groups >= {"model", "data", "optimizer", "search/scheduler", "search_space", "experiment", "debug", ""}


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("option", OPTIONS)
def test_the_commands_of_its_header_choose_it_and_the_last_one_builds(option: str) -> None:
    typed = commands(option)
    assert typed, f"conf/{option}.yaml must begin with a comment that gives its command"
    group, _, name = option.rpartition("/")
    for arguments in typed:
        assert not group or compose(*arguments).choices[group] == name, arguments
    if option == "trainer/gpu" and not torch.cuda.is_available():
        return  # see below
    built = inside(check_and_build, *typed[-1])
    assert built.trainer.max_epochs == built.config["budget"]["max_epochs"]
    optimizer = built.model.configure_optimizers()
    if built.config["lr_scheduler"]["scheduler"]:
        assert isinstance(optimizer, dict)
        assert set(optimizer) == {"optimizer", "lr_scheduler"}
    else:
        assert isinstance(optimizer, torch.optim.Optimizer)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_shipped_space_fits_every_optimizer(model: str, optimizer: str) -> None:
    def sampled(composed: Composed) -> None:
        space = preflight(composed).plan.space
        for seed in range(5):
            build(merge_params(composed.config, {}, space.sample(random.Random(seed))))

    inside(sampled, "+search=random", f"model={model}", f"optimizer={optimizer}")


@pytest.mark.usefixtures("here")
def test_without_a_gpu_the_gpu_trainer_fails() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(MisconfigurationException, match="gpu"):
        build(compose("trainer=gpu").config)
