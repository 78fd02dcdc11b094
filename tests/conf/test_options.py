"""Every option of every group: its header's commands choose it, pass preflight, and the last one can begin a trial."""

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
from raytune_nn.modes.preflight import preflight
from raytune_nn.space.merge import merge_params
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.rehearsal import rehearse

CONF = Path(conf_dir())
OPTIONS = sorted(str(path.relative_to(CONF).with_suffix("")) for path in CONF.rglob("*.yaml"))
COMMAND = re.compile(r"^#\s+python -m raytune_nn(?: (.*?))?(?:\s{3,}.*)?$", re.MULTILINE)


def header(option: str) -> str:
    """The comment at the top of a file."""
    found = re.match(r"(?:#.*\n)*", (CONF / f"{option}.yaml").read_text())
    return found[0] if found else ""


def commands(option: str) -> list[list[str]]:
    """The commands in the comment at the top of a file, without their program."""
    return [shlex.split(typed) for typed in COMMAND.findall(header(option))]


def build(config: dict[str, Any]) -> None:
    build_trial(config, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)


def check(composed: Composed, builds: bool) -> str:
    """Preflight in this process, a trial of the study up to its first batch; the choices, as ``group=option``."""
    checked = preflight(composed)
    checked.targets.check_names()
    if builds:
        rehearse(checked.targets.trials[-1:])  # a sampled one, if anything is searched
    return " ".join(f"{group}={option}" for group, option in composed.choices.items())


def test_all_groups_are_here() -> None:
    groups = {option.rpartition("/")[0] for option in OPTIONS}
    assert groups >= {"model", "data", "optimizer", "lr_scheduler", "init", "callbacks", "trainer", "search_space", ""}
    assert groups >= {"search", "search/searcher", "search/scheduler", "cluster", "experiment", "debug"}


@pytest.mark.usefixtures("at_files")
@pytest.mark.parametrize("option", OPTIONS)
def test_the_commands_of_its_header_choose_it_and_the_last_one_can_begin(option: str) -> None:
    typed = commands(option)
    assert typed, f"conf/{option}.yaml must begin with a comment that gives its command"
    group, _, name = option.rpartition("/")
    for arguments in typed:
        builds = arguments is typed[-1] and (option != "trainer/gpu" or torch.cuda.is_available())
        if option in ("cluster/auto", "cluster/existing") or (
            option == "trainer/gpu" and not builds
        ):  # preflight wants it to be there
            chosen = " ".join(f"{group}={option}" for group, option in compose(*arguments).choices.items())
        else:
            chosen = inside(lambda composed, builds=builds: check(composed, builds), *arguments)  # type: ignore[misc]
        assert not group or f"{group}={name}" in chosen.split(), arguments


@pytest.mark.parametrize("option", OPTIONS)
def test_its_header_says_what_it_is(option: str) -> None:
    sentence = re.search(r"^# [A-Z1-9].+\.(?: .*)?$", COMMAND.sub("", header(option)), re.MULTILINE)
    assert sentence, f"conf/{option}.yaml must begin with a comment that says what it is"


@pytest.mark.usefixtures("at_files")
def test_several_callbacks_are_chosen_by_a_list() -> None:
    composed = compose("callbacks=[early_stopping,mixup]")
    assert list(composed.config["callbacks"]) == ["early_stopping", "mixup"]


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
