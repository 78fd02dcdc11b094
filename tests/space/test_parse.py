"""What a search space may be written as, and that all ways of writing it agree."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from omegaconf import OmegaConf
from space_strategies import domains, moderately

from raytune_nn.space import (
    Choice,
    Domain,
    GroupChoice,
    LogUniform,
    QUniform,
    RandInt,
    Space,
    Uniform,
    parse_space,
)
from raytune_nn.space.text import write


def only(node: Any) -> Domain:
    """The domain that a single key holds."""
    return parse_space({"a": {"b": node}}).domains["a.b"]


@moderately
@given(domains)
def test_text_and_mapping_form_agree(domain: Domain) -> None:
    fields = domain.to_mapping()
    name = fields.pop("dist")
    assert only(write(name, fields, domain.field_names())) == only(domain.to_mapping()) == domain


@moderately
@given(domains)
def test_keywords_in_any_order_agree_with_positions(domain: Domain) -> None:
    fields = domain.to_mapping()
    name = fields.pop("dist")
    if isinstance(domain, Choice):
        listed = write(name, {"options": [fields["options"]]}, ("options",))  # choice([...])
        assert only(listed.replace("(", "(options=", 1)) == domain
    else:
        assert only(f"{name}({', '.join(f'{key}={value}' for key, value in reversed(fields.items()))})") == domain


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("loguniform(1e-4, 1e-1)", LogUniform(1e-4, 1e-1)),
        ("  loguniform ( 1E-4 ,\n.1 ) ", LogUniform(1e-4, 0.1)),
        ("uniform(-1, high=+2.5e0)", Uniform(-1, 2.5)),
        ("quniform(0, 1, q=0.1)", QUniform(0, 1, 0.1)),
        ("randint(1, 1e3)", RandInt(1, 1000)),
        ('randint("1", 1_000)', RandInt(1, 1000)),
        ("choice(relu, gelu, 3, null, [64,64])", Choice(("relu", "gelu", 3, None, [64, 64]))),
        ("choice(1, 1.0, true, '1', 1e-3, '1e-3')", Choice((1, 1.0, True, "1", 0.001, "1e-3"))),
        ("choice(a=b, 'c, d=e', f(x))", Choice(("a=b", "c, d=e", "f(x)"))),
        ("choice({a: 1}, b: 2)", Choice(({"a": 1}, {"b": 2}))),
        ("choice([1, 2])", Choice(([1, 2],))),
        ("choice(options=[1, 2])", Choice((1, 2))),
        ("choice(2020-01-01)", Choice(("2020-01-01",))),
    ],
)
def test_the_text_form_reads_yaml_arguments(written: str, domain: Domain) -> None:
    assert only(written) == domain


@pytest.mark.parametrize(
    "token",
    [
        *(
            "1e-3",
            "1e3",
            "-1E+5",
            ".5e-1",
            "1.",
            "1_000",
            "0x10",
            "1:30",
            "1e",
            "e3",
            "3-4",
            ".inf",
            "2020-01-01",
        ),
        *("yes", "off", "~", "null", "'no'", '"1e-3"', "[1e-3, a]"),
    ],
)
def test_arguments_are_read_as_omegaconf_reads_a_file(token: str) -> None:
    read = OmegaConf.to_container(OmegaConf.create(f"a: [{token}]"))
    assert isinstance(read, dict)
    assert only(f"choice({token})") == Choice(tuple(read["a"]))


def test_a_number_that_pyyaml_takes_for_a_text_is_a_number() -> None:
    tree = yaml.safe_load("{dist: loguniform, low: 1e-4, high: 1e-1}")
    assert tree["low"] == "1e-4"
    assert only(tree) == LogUniform(1e-4, 1e-1)
    assert only({"dist": "randint", "low": "1", "high": "1e3"}) == RandInt(1, 1000)


def test_options_that_are_texts_stay_texts() -> None:
    assert only({"dist": "choice", "options": ["1e-4", "1"]}) == Choice(("1e-4", "1"))


def test_branches_share_what_stands_beside_choose_and_shadow_it() -> None:
    tree = yaml.safe_load("""
        optimizer:
          choose:
            sgd: {momentum: "uniform(0, 0.99)", lr: "loguniform(0.01, 1)"}
            adamw: {weight_decay: "choice(0, 0.1)", betas: {first: "uniform(0.8, 0.9)"}}
            lion:
          lr: "loguniform(0.0001, 0.1)"
          betas: {first: "uniform(0, 1)", second: "uniform(0, 1)"}
    """)
    group = parse_space(tree).choices["optimizer"]
    lr, betas = {"optimizer.lr": LogUniform(1e-4, 1e-1)}, {"optimizer.betas.first": Uniform(0, 1)}
    betas["optimizer.betas.second"] = Uniform(0, 1)
    assert group.branches["lion"] == Space({**lr, **betas})
    assert group.branches["sgd"].domains["optimizer.lr"] == LogUniform(0.01, 1)
    assert group.branches["sgd"].domains.keys() == {*lr, *betas, "optimizer.momentum"}
    assert group.branches["adamw"] == Space(
        {
            **lr,
            "optimizer.weight_decay": Choice((0, 0.1)),
            "optimizer.betas.first": Uniform(0.8, 0.9),
        }
    )


def test_groups_stand_inside_branches_and_beside_choose() -> None:
    warmup = {"choose": {"none": None, "linear": {"steps": "randint(1, 9)"}}}
    tree = {"optimizer": {"choose": {"sgd": {"nesterov": "choice(true, false)"}, "adamw": {}}, "warmup": warmup}}
    inner = GroupChoice({"none": Space(), "linear": Space({"optimizer.warmup.steps": RandInt(1, 9)})})
    nesterov = Space({"optimizer.nesterov": Choice((True, False))}, {"optimizer.warmup": inner})
    outer = GroupChoice({"sgd": nesterov, "adamw": Space({}, {"optimizer.warmup": inner})})
    assert parse_space(tree) == Space({}, {"optimizer": outer})
    within = {"optimizer": {"choose": {"sgd": {"warmup": warmup}}}}
    assert parse_space(within).choices["optimizer"].branches["sgd"].choices == {"optimizer.warmup": inner}


def test_an_empty_mapping_in_a_branch_takes_the_shared_key_away() -> None:
    tree = {"optimizer": {"choose": {"sgd": {}, "lbfgs": {"lr": {}}}, "lr": "uniform(0, 1)"}}
    branches = parse_space(tree).choices["optimizer"].branches
    assert branches["sgd"].domains
    assert branches["lbfgs"].is_empty


@pytest.mark.parametrize("tree", [{}, {"optimizer": {}}, {"optimizer": {"betas": {}}}])
def test_a_tree_without_leaves_is_an_empty_space(tree: dict[str, Any]) -> None:
    assert parse_space(tree) == Space()
    assert parse_space(tree).is_empty


def test_words_of_the_notation_can_name_parameters_too() -> None:
    leaf = {"dist": "uniform", "low": 0, "high": 1}
    tree = {"init": {"dist": leaf, "low": leaf, "q": "uniform(0, 1)"}}
    assert parse_space(tree) == Space(dict.fromkeys(["init.dist", "init.low", "init.q"], Uniform(0, 1)))


def test_omegaconf_containers_are_read_as_well() -> None:
    tree = {"net": {"act": {"dist": "choice", "options": ["relu", [64, 64]]}, "width": "randint(1, 9)"}}
    assert parse_space(OmegaConf.create(tree)) == parse_space(tree)
