"""The page about the configuration names every option, and keys that are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import compose

from raytune_nn.config.compose import conf_dir

CONF = Path(conf_dir())
PAGE = (CONF / "README.md").read_text()
OPTIONS = sorted(str(path.relative_to(CONF).with_suffix("")) for path in CONF.rglob("*/*.yaml"))


@pytest.mark.parametrize("option", OPTIONS)
def test_it_is_named(option: str) -> None:
    group, _, name = option.rpartition("/")
    assert f"`{name}`" in PAGE or f"{group}={name}`" in PAGE or f"{group}={name} " in PAGE


@pytest.mark.usefixtures("here")
def test_its_keys_are_there() -> None:
    typed = [word for code in re.findall("`([^`\n]+)`", PAGE) for word in shlex.split(code)]
    values = {word.partition("=")[0]: word for word in typed if re.match(r"[+\w]+\.[\w.]+=.", word)}
    assert len(values) > 15
    others = {"model.loss": "model=mlp_regression", "search.scheduler.study": "+search=pbt_replay"}
    of_jobs = dict.fromkeys(("cluster.dry_run", "cluster.requeue"), "cluster=slurm")
    for key, option in {**others, **of_jobs, "search.scheduler.grace_period": "+search=asha"}.items():
        compose(option, values.pop(key))
    compose("+search=pbt", "callbacks=[freeze,early_stopping]", "lr_scheduler=plateau", *values.values())
