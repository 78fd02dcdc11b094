"""Every refusal of a search space names the path, the rule and the value, and offers what mends it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from space_strategies import moderately

from raytune_nn.errors import SpaceError
from raytune_nn.space import parse_space
from raytune_nn.space.leaf import text_override

LR = "search_space.optimizer.lr"
LEAF = f'{LR} must be a distribution: a mapping with `dist`, or a text such as "loguniform(0.0001, 0.1)"'
NAME = f"{LR}: a distribution must be one of uniform, loguniform, quniform, randint, lograndint, choice"
FORGOTTEN = f"{LR} must name its distribution as `dist`"
OTHERS = f"{LR}: uniform must get no other arguments than low, high"
GROUP = "search_space.optimizer.choose"
OPTIONS = f"{GROUP} must be a mapping from each option to the space that exists under it"
BRANCH = f"{GROUP}.sgd must be a mapping of the parameters that exist under this option"

# What stands at optimizer.lr, the rule, the value found, and the overrides that mend it.
LEAVES: list[tuple[str, str, str, str]] = [
    # the name
    ("{dist: logunifrom, low: 0.1, high: 1}", NAME + "; did you mean loguniform?",
     '"logunifrom"', f"{LR}.dist=loguniform"),
    ("{dist: RANDINT, low: 1, high: 2}", NAME + "; did you mean randint?",
     '"RANDINT"', f"{LR}.dist=randint"),
    ("{dist: 3, low: 0, high: 1}", NAME, "3", f"{LR}.dist=uniform"),
    ("{dist: null, low: 0, high: 1}", NAME, "null",
     f"{LR}.dist=uniform"),
    ("logunifrom(0.1, 1)", NAME + "; did you mean loguniform?", '"logunifrom"',
     f"""'{LR}="loguniform(0.1, 1)"'"""),
    ("gauss(0, 1)", NAME, '"gauss"',
     f"""'{LR}="loguniform(0.0001, 0.1)"'"""),
    ("{low: 0, high: 1}", FORGOTTEN, '{"low": 0, "high": 1}', f"+{LR}.dist=uniform"),
    ("{options: [1, 2]}", FORGOTTEN, '{"options": [1, 2]}', f"+{LR}.dist=choice"),
    ("{type: logunif, low: 1, high: 2}", FORGOTTEN,
     '{"type": "logunif", "low": 1, "high": 2}', f"'~{LR}.type' +{LR}.dist=loguniform"),
    # fields
    ("{dist: uniform, low: 0}", f"{LR}: uniform must get low, high", "low=0", f"+{LR}.high=1.0"),
    ("{dist: choice}", f"{LR}: choice must get options",
     "no arguments", f"""'+{LR}.options=["relu", "gelu"]'"""),
    ("quniform(0, 1)", f"{LR}: quniform must get low, high, q",
     "low=0, high=1", f"""'{LR}="quniform(0, 1, 0.1)"'"""),
    ("randint()", f"{LR}: randint must get low, high", "no arguments", f"""'{LR}="randint(1, 8)"'"""),
    ("{dist: uniform, lo: 0, high: 1}", OTHERS + "; did you mean low?",
     "lo=0", f"'~{LR}.lo' +{LR}.low=0"),
    ("{dist: uniform, low: 0, high: 1, q: 0.1}", OTHERS, "q=0.1",
     f"'~{LR}.q'"),
    ("uniform(lo=0, high=1)", OTHERS + "; did you mean low?", "lo=0",
     f"""'{LR}="uniform(0, 1)"'"""),
    ("uniform(0, 1, 2)", f"{LR}: uniform takes 2 arguments: low, high", "uniform(0, 1, 2)",
     f"""'{LR}="uniform(0.0, 1.0)"'"""),
    ("uniform(0, low=1)", f"{LR}: uniform must get low once", "uniform(0, low=1)",
     f"""'{LR}="uniform(0.0, 1.0)"'"""),
    ("choice(a, [b)", f"{LR}: choice must hold arguments in YAML, separated by commas", "choice(a, [b)",
     f"""'{LR}="choice(relu, gelu)"'"""),
    ("choice(options=[a], b)", f"{LR}: choice must get options once", "choice(options=[a], b)",
     f"""'{LR}="choice(relu, gelu)"'"""),
    # values
    ("{dist: uniform, low: 2, high: 1}", f"{LR}: low <= high must hold", "low=2.0, high=1.0",
     f"{LR}.low=1.0 {LR}.high=2.0"),
    ("uniform(2, 1)", f"{LR}: low <= high must hold", "low=2.0, high=1.0", f"""'{LR}="uniform(1.0, 2.0)"'"""),
    ("{dist: loguniform, low: 0, high: 1}", f"{LR}: low > 0 must hold for loguniform",
     "low=0.0", f"{LR}.low=0.0001"),
    ("quniform(0, 1, -1)", f"{LR}: q > 0 must hold", "q=-1.0", f"""'{LR}="quniform(0, 1, 0.1)"'"""),
    ("{dist: uniform, low: a, high: 1}", f"{LR}: low must be a number", '"a"', f"{LR}.low=0.0"),
    ("{dist: uniform, low: true, high: 1}", f"{LR}: low must be a number", "true", f"{LR}.low=0.0"),
    ("uniform(low=, high=1)", f"{LR}: low must be a number", "null", f"""'{LR}="uniform(0.0, 1)"'"""),
    ("randint(0.5, 3)", f"{LR}: low must be an integer", "0.5", f"""'{LR}="randint(0, 3)"'"""),
    ("{dist: choice, options: relu}", f"{LR}: options must be a list", '"relu"',
     f"""'{LR}.options=["relu"]'"""),
    ("choice(1, a b, 1)", f"{LR}: options must differ from each other", '[1, "a b", 1]',
     f"""'{LR}="choice(1, \\"a b\\")"'"""),
    ("choice()", f"{LR}: options must hold at least one value", "[]", f"""'{LR}="choice(relu, gelu)"'"""),
    # no distribution at all
    ("0.1", LEAF, "0.1", f"'~{LR}' optimizer.lr=0.1"),
    ("true", LEAF, "true", f"'~{LR}' optimizer.lr=true"),
    ("null", LEAF, "null", f"""'{LR}="loguniform(0.0001, 0.1)"'"""),
    ("[]", LEAF, "[]", f"'~{LR}' 'optimizer.lr=[]'"),
    ("[0.1, 0.2]", LEAF, "[0.1, 0.2]", f"""'{LR}="choice(0.1, 0.2)"'"""),
    ("qunifrom", LEAF, '"qunifrom"', f"""'{LR}="quniform(0.0, 1.0, 0.1)"'"""),
    ("relu", LEAF, '"relu"', f"""'{LR}="loguniform(0.0001, 0.1)"'"""),
]  # fmt: skip

# The whole of search_space, and the same three.
TREES: list[tuple[str, str, str, str]] = [
    ("{optimizer: {choose: {sgd: {lr: {dist: uniform, low: 2, high: 1}}}}}",
     f"{GROUP}.sgd.lr: low <= high must hold", "low=2.0, high=1.0",
     f"{GROUP}.sgd.lr.low=1.0 {GROUP}.sgd.lr.high=2.0"),
    ("{optimizer: {choose: {sgd: }, lr: 'unifrm(1, 2)'}}",
     NAME + "; did you mean uniform?", '"unifrm"',
     f"""'{LR}="uniform(1, 2)"'"""),
    ("{optimizer: {choose: [sgd, lion]}}", OPTIONS,
     '["sgd", "lion"]', f"'~{GROUP}' '+{GROUP}={{sgd:{{}},lion:{{}}}}'"),
    ("{optimizer: {choose: {}}}", OPTIONS, "{}",
     f"'~{GROUP}' '+{GROUP}={{sgd:{{}},adamw:{{}}}}'"),
    ("{optimizer: {choose: sgd}}", OPTIONS,
     '"sgd"', f"'~{GROUP}' '+{GROUP}={{sgd:{{}},adamw:{{}}}}'"),
    ("{optimizer: {choose: {sgd: 1}}}", BRANCH,
     "1", f"'~{GROUP}.sgd' '+{GROUP}.sgd={{}}'"),
    ("{optimizer: {choose: {sgd: {dist: uniform, low: 0, high: 1}}}}",
     BRANCH,
     '{"dist": "uniform", "low": 0, "high": 1}', f"'~{GROUP}.sgd' '+{GROUP}.sgd={{}}'"),
    ("{optimizer: {choose: {sgd: {choose: {plain: }}}}}",
     f"{GROUP}.sgd must not choose optimizer again: `choose` belongs below a parameter's or group's name",
     'choose: {"plain": null}', f"'~{GROUP}.sgd.choose'"),
    ("{choose: {sgd: }}", "search_space must hold `choose` below the path of a parameter or config group",
     'choose: {"sgd": null}', "'~search_space.choose'"),
    ("{dist: uniform}", "search_space must hold `dist` below the path of a parameter or config group",
     'dist: "uniform"', "'~search_space.dist'"),
]  # fmt: skip

# What only an editor mends.
FILES: list[tuple[str, str, str, str]] = [
    ("{optimizer.lr: 'uniform(0, 1)'}",
     "the keys of search_space must be plain names: a path is written as nested mappings", '"optimizer.lr"',
     "optimizer: {lr: …} in the file"),
    ("{net: {1: 'uniform(0, 1)'}}", "the keys of search_space.net must be texts",
     "1", '"1" in quotes, in the file'),
    ("{net: {'': 'uniform(0, 1)'}}", "the keys of search_space.net must be texts",
     '""', '"" in quotes, in the file'),
    ("{optimizer: {choose: {no: }}}", f"the keys of {GROUP} must be texts",
     "false", '"False" in quotes, in the file'),
    ('{net: {"wid\\nth": }}', "the keys of search_space.net must be texts of printable characters",
     '"wid\\nth"', "width: …, in the file"),
    ('{"\\e[2J": }', "the keys of search_space must be texts of printable characters",
     '"\\u001b[2J"', "[2J: …, in the file"),
    ("[1]", "search_space must be a mapping", "[1]", "search_space={}"),
]  # fmt: skip


def refusal(tree: Any) -> SpaceError:
    with pytest.raises(SpaceError) as caught:
        parse_space(tree)
    return caught.value


def lr(node: str) -> dict[str, Any]:
    """The tree with ``node``, which is YAML or the text form, at optimizer.lr."""
    return {"optimizer": {"lr": node if node.endswith(")") else yaml.safe_load(node)}}


ON_THE_COMMAND_LINE = [(lr(node), *rest) for node, *rest in LEAVES]
ON_THE_COMMAND_LINE += [(yaml.safe_load(tree), *rest) for tree, *rest in TREES]


@pytest.mark.parametrize(
    ("tree", "rule", "found", "fix"),
    ON_THE_COMMAND_LINE + [(yaml.safe_load(tree), *rest) for tree, *rest in FILES],
)
def test_the_message_has_rule_value_and_mending(tree: Any, rule: str, found: str, fix: str) -> None:
    error = refusal(tree)
    assert (error.rule, error.found, error.fix) == (rule, found, fix)
    assert error.exit_code == 2


@moderately
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\\\"'$"), max_size=8))
@example('\\"')
@example("\\\\\"$'")
def test_a_text_form_survives_shell_and_hydra(inside: str) -> None:
    (typed,) = shlex.split(text_override("a.b", f"choice({inside})"))
    assert OverridesParser.create().parse_override(typed).value() == f"choice({inside})"


@pytest.mark.parametrize(("tree", "fix"), [(tree, fix) for tree, _, _, fix in ON_THE_COMMAND_LINE])
def test_what_the_message_offers_works_when_typed(tree: Any, fix: str, tmp_path: Path) -> None:
    config = {"search_space": tree, "optimizer": {"lr": 0.5}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        composed = compose("config", overrides=shlex.split(fix))
    parse_space(OmegaConf.to_container(composed["search_space"]))  # type: ignore[arg-type]
