"""A space fits the configuration that it varies, or the message says which override mends it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import run

from raytune_nn.errors import SpaceError
from raytune_nn.space.check import TUNABLE, check_space
from raytune_nn.space.parse import parse_space

BASE: dict[str, Any] = {
    "seed": 0,
    "model": {"net": {"width": 128, "dropout": 0.0, "residual": True, "activation": "relu", "norm": None}},
    "optimizer": {"_target_": "AdamW", "lr": 0.1, "betas": [0.9, 0.999], "fused": True},
    "lr_scheduler": {"scheduler": {"T_max": "${budget.max_epochs}"}},
    "budget": {"max_epochs": 27},
}
BRANCHES = {
    "optimizer": {
        "adamw": {"_target_": "AdamW", "lr": 0.1, "weight_decay": 0.0},
        "sgd": {"_target_": "SGD", "lr": 0.1, "momentum": 0.9},
    }
}


def check(text: str) -> None:
    space = yaml.safe_load(text)
    check_space(parse_space(space), {**BASE, "search_space": space}, BRANCHES)


def refused(text: str) -> SpaceError:
    with pytest.raises(SpaceError) as raised:
        check(text)
    return raised.value


@pytest.mark.parametrize(
    "text",
    [
        "model: {net: {width: 'randint(1, 9)'}}",
        "model: {net: {width: 'choice(32, 64)'}}",
        "model: {net: {dropout: 'uniform(0, 1)'}}",
        "model: {net: {dropout: 'choice(0, 0.5)'}}",  # an integer where a float stands
        "model: {net: {residual: 'choice(true, false)'}}",
        "model: {net: {activation: 'choice(relu, gelu)'}}",
        "model: {net: {activation: 'choice(relu, null)'}}",
        "model: {net: {norm: 'choice(layer, 3)'}}",  # null stands there: anything may
        "lr_scheduler: {scheduler: {T_max: 'randint(1, 9)'}}",  # an interpolation: anything may
        "lr_scheduler: {scheduler: {T_max: 'uniform(1, 9)'}}",
        "optimizer: {betas: 'choice([0.9, 0.99], [0.5, 0.9])'}",
        "seed: 'randint(0, 9)'",
        "optimizer: {choose: {sgd: {momentum: 'uniform(0, 1)'}, adamw: {}}, lr: 'loguniform(1e-4, 1)'}",
    ],
)
def test_a_space_that_fits(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "found", "fix"),
    [
        ("width: 'uniform(1.5, 8.5)'", "1.5 (float, not int)", '=randint(2, 8)'),
        ("width: 'quniform(0, 8, 0.5)'", "0.0 (float, not int)", "=randint(0, 8)"),
        ("width: 'loguniform(0.5, 8)'", "0.5 (float, not int)", "=lograndint(1, 8)"),
        ("width: 'loguniform(0.1, 0.9)'", "0.1 (float, not int)", None),
        ("width: 'choice(32, 64.5)'", "64.5 (float, not int)", "=choice(32)"),
        ("width: 'choice(wide, narrow)'", "'wide' (str, not int)", None),
        ("width: 'choice(true, 3)'", "True (bool, not int)", "=choice(3)"),
        ("dropout: 'choice(a, 0.5)'", "'a' (str, not float)", "=choice(0.5)"),
        ("dropout: 'choice(false, true)'", "False (bool, not float)", None),
        ("residual: 'randint(0, 1)'", "0 (int, not bool)", None),
        ("residual: 'choice(yes please, true)'", "'yes please' (str, not bool)", "=choice(true)"),
        ("activation: 'randint(0, 1)'", "0 (int, not str)", None),
        ("activation: 'choice(relu, 3)'", "3 (int, not str)", "=choice(relu)"),
    ],
)  # fmt: skip
def test_values_must_be_like_the_one_that_they_replace(text: str, found: str, fix: str | None) -> None:
    error = refused(f"model: {{net: {{{text}}}}}")
    place = f"search_space.model.net.{text.partition(':')[0]}"
    assert error.rule.startswith(f"{place} must give values like the ")
    assert error.found == found
    assert shlex.split(error.fix) == [f'{place}="{fix[1:]}"' if fix else f"~{place}"]


def test_an_empty_space_has_nothing_to_search() -> None:
    error = refused("{}")
    assert error.rule == "a search needs a search_space that is not empty"
    assert "+search_space.optimizer.lr=" in error.fix


@pytest.mark.parametrize("root", ["budget", "search", "study", "modle"])
def test_only_what_a_trial_is_made_of_can_be_tuned(root: str) -> None:
    error = refused(f"{root}: {{max_epochs: 'randint(1, 9)'}}")
    assert error.rule == f"only {', '.join(TUNABLE)} can be tuned"
    assert (error.found, error.fix) == (f"search_space.{root}.max_epochs", f"~search_space.{root}")


@pytest.mark.parametrize(
    ("text", "found", "fix"),
    [
        (
            "optimizer: {lrr: 'uniform(0, 1)'}",
            "optimizer.lrr (optimizer has _target_, lr, betas, fused)",
            "rename lrr to lr, or drop it: ~search_space.optimizer.lrr",
        ),
        (
            "model: {nett: {width: 'randint(1, 2)'}}",
            "model.nett (model has net)",
            "rename nett to net, or drop it: ~search_space.model.nett.width",
        ),
        ("model: {zzz: 'randint(1, 2)'}", "model.zzz (model has net)", "~search_space.model.zzz"),
        ("optimizer: {lr: {x: 'uniform(0, 1)'}}", "optimizer.lr.x", "~search_space.optimizer.lr.x"),
        ("optimizer: {betas: {b1: 'uniform(0, 1)'}}", "optimizer.betas.b1", "~search_space.optimizer.betas.b1"),
    ],
)
def test_a_path_must_exist(text: str, found: str, fix: str) -> None:
    error = refused(text)
    assert error.rule == "every path of search_space must exist in the configuration"
    assert (error.found, error.fix) == (found, fix)


@pytest.mark.parametrize(
    ("text", "found", "fix"),
    [
        (
            "optimizer: {choose: {adamw: {momentum: 'uniform(0, 1)'}, sgd: {}}}",
            "optimizer.momentum, in branch optimizer=adamw (optimizer has _target_, lr, weight_decay)",
            "~search_space.optimizer.choose.adamw.momentum",
        ),
        (
            "optimizer: {choose: {adamw: {}, sgd: {}}, momentum: 'uniform(0, 1)'}",
            "optimizer.momentum, in branch optimizer=adamw (optimizer has _target_, lr, weight_decay)",
            "~search_space.optimizer.momentum",
        ),
        (
            "optimizer: {choose: {adamw: {}, sgd: {momentums: 'uniform(0, 1)'}}}",
            "optimizer.momentums, in branch optimizer=sgd (optimizer has _target_, lr, momentum)",
            "rename momentums to momentum, or drop it: ~search_space.optimizer.choose.sgd.momentums",
        ),
    ],
)
def test_a_path_must_exist_in_its_branch(text: str, found: str, fix: str) -> None:
    error = refused(text)
    assert (error.found, error.fix) == (found, fix)


def test_a_value_must_fit_in_its_branch() -> None:
    error = refused("optimizer: {choose: {adamw: {lr: 'choice(a, 0.5)'}, sgd: {}}, lr: 'uniform(0, 1)'}")
    assert shlex.split(error.fix) == ['search_space.optimizer.choose.adamw.lr="choice(0.5)"']


CHOOSING = """
optimizer:
  choose:
    sgd: {momentum: {dist: uniform, low: 0, high: 0.99}}
    adamw: {weight_decay: {dist: loguniform, low: 1.0e-6, high: 0.1}}
  lr: {dist: loguniform, low: 1.0e-4, high: 0.1}
"""


@pytest.fixture
def choosing(here: Path) -> list[str]:
    """The command that searches a user's own space, which chooses the optimizer."""
    (here / "my_conf/search_space").mkdir(parents=True)
    (here / "my_conf/search_space/opt.yaml").write_text(CHOOSING)
    return ["mode=plan", "+search=asha", "--config-dir", "my_conf", "search_space=opt"]


@pytest.mark.usefixtures("checked_here")
@pytest.mark.parametrize("base", ["adamw", "sgd", "from_model"])
def test_each_option_of_a_group_is_composed(choosing: list[str], base: str) -> None:
    """Also where the base configuration is one that no trial trains: this model has no optimizer of its own."""
    ran = run(*choosing, f"optimizer={base}")
    assert ran.code == 0, ran.err
    space = [line.split() for line in ran.out.partition("a continuum\n")[2].splitlines()]
    assert [" ".join(words) for words in space] == [
        "optimizer choice(adamw, sgd)",
        "optimizer.lr loguniform(0.0001, 0.1) if optimizer=adamw",
        "optimizer.weight_decay loguniform(1e-06, 0.1) if optimizer=adamw",
        "optimizer.lr loguniform(0.0001, 0.1) if optimizer=sgd",
        "optimizer.momentum uniform(0.0, 0.99) if optimizer=sgd",
    ]


@pytest.mark.parametrize(
    ("overrides", "rule", "found"),
    [
        (["optimizer=sgd", "optimizer.momentum=0.9"], "every branch of search_space.optimizer", "branch adamw: "),
        (["+search_space.optimizer.choose.adamax={}"], "every branch of search_space.optimizer", "branch adamax: "),
        (["search_space.optimizer.choose.sgd.momentum.low=2"], "search_space.optimizer.choose.sgd.momentum", "low=2"),
        (
            ['+search_space.optimizer.choose.adam.momentum="uniform(0, 1)"'],
            "every path of search_space must exist",
            "in branch optimizer=adam",
        ),
    ],
)
def test_what_does_not_fit_a_branch_is_refused_and_nothing_created(
    here: Path, choosing: list[str], overrides: list[str], rule: str, found: str
) -> None:
    before = sorted(here.rglob("*"))
    ran = run(*choosing, *overrides)
    assert ran.code == 2
    assert ran.rule.startswith(rule)
    assert found in ran.found
    assert sorted(here.rglob("*")) == before
