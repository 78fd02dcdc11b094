"""What a mistake in one of the user's own files is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import refused

pytestmark = pytest.mark.usefixtures("here")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# text of my_conf/experiment/e.yaml, rule, found, fix
FILES = [
    ("budgt: {num_trials: 3}", "budgt must be a key of the configuration", "budgt", "budget"),
    ("budget: {num_trials: many}", "budget.num_trials must be an integer", "budget.num_trials", "budget.num_trials=<"),
    ("budget: {num_trials: '${nope}'}", "an interpolation must refer to a key that exists", "${nope}", "+nope=…"),
    (
        "defaults: [override /model: nope]",
        "model must be one of its options",
        "nope (model: audio_cnn, cnn, mlp, mlp_regression, recurrent, transformer, vae)",
        "model=audio_cnn",
    ),
    (
        "defaults: [override /modl: mlp]",
        "only groups of the defaults can be overridden",
        "override /modl, in experiment/e",
        "override /model, in that file",
    ),
    (
        "defaults: [/model: mlp]",
        "model has a value already, so it is changed without +",
        "model",
        "model",
    ),
    (
        "defaults: [nope]",
        "experiment must be one of its options",
        "nope, in experiment/e (there is no such file)",
        "mend experiment/e.yaml",
    ),
    ("budget: [1", "a configuration file must be YAML", "experiment/e.yaml", "mend that line"),
]


@pytest.mark.parametrize(("text", "rule", "found", "fix"), FILES, ids=[row[0] for row in FILES])
def test_a_file_that_does_not_compose(here: Path, text: str, rule: str, found: str, fix: str) -> None:
    write(here / "my_conf/experiment/e.yaml", f"# @package _global_\n{text}\n")
    ran = refused("--config-dir", "my_conf", "+experiment=e")
    assert ran.rule == rule
    assert found in ran.found
    assert ran.fix.startswith(fix)


def test_a_recipe_that_is_not_global(here: Path) -> None:
    write(here / "my_conf/experiment/e.yaml", "budget: {num_trials: 3}\n")
    ran = refused("--config-dir", "my_conf", "+experiment=e")
    assert ran.rule == "a file of experiment/ must begin with `# @package _global_`"
    assert ran.found == "+experiment=e"


def test_a_group_that_the_defaults_lack(here: Path) -> None:
    write(here / "my_conf/scaling/one.yaml", "factor: 1\n")
    ran = refused("--config-dir", "my_conf", "scaling=one")
    assert ran.rule == "only groups of the defaults can be overridden"
    assert ran.fix == "+scaling=one"
