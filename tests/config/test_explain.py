"""Every way in which composing fails, caused by a real command: the rule, what was found, and what to type."""

from __future__ import annotations

import shlex

import pytest
from command_line import compose, refused

from raytune_nn.config.explain import explain, nearest

pytestmark = pytest.mark.usefixtures("here")

MODELS = "audio_cnn, cnn, mlp, mlp_regression, recurrent, transformer, vae"
HELP = "python -m raytune_nn --help"


# command, rule, found, fix
OPTIONS = [
    (
        "model=cnnn",
        "model must be one of its options",
        f"cnnn (model: {MODELS})",
        "model=cnn",
    ),
    (
        "model=mpl",
        "model must be one of its options",
        f"mpl (model: {MODELS})",
        "model=mlp",
    ),
    (
        "+search=ahsa",
        "search must be one of its options",
        "ahsa (search: asha, bohb, cmaes, gp, grid, ",
        "+search=asha",
    ),
    (
        "model=mlp/nope",
        "model must be one of its options",
        f"mlp/nope (model: {MODELS})",
        "model=mlp",
    ),
    (
        "cluster=zzz",
        "cluster must be one of its options",
        "zzz (cluster: auto, existing, kuberay, local, slurm)",
        "cluster=auto",
    ),
    (
        "+search=asha search/scheduler=ahsa",
        "search/scheduler must be one of its options",
        "ahsa (search/scheduler: asha, median, none, ",
        "search/scheduler=asha",
    ),
    ("optimizer=3 seed=3", "optimizer must be one of its options", "optimizer=3", "optimizer=<an option>"),
    ("optimizer=null", "optimizer must be one of its options", "optimizer=null", "optimizer=<an option>"),
    ("search_space=null", "search_space must be one of its options", "search_space=null", "~search_space"),
    ("~model", "model must stay: the defaults list refers to it", "~model", "model=<an option>"),
]
PLUS = [
    ("search=asha", "search is not part of the defaults, so it is added with +", "search=asha", "+search=asha"),
    ("debug=tiny", "debug is not part of the defaults, so it is added with +", "debug=tiny", "+debug=tiny"),
    (
        "search/searcher=random",
        "a searcher or scheduler belongs to a search",
        "search/searcher=random",
        "+search=asha search/searcher=random",
    ),
    (
        "+search/searcher=random",
        "a searcher or scheduler belongs to a search",
        "+search/searcher=random",
        "+search=asha search/searcher=random",
    ),
    (
        "search.scheduler.grace_period=3",
        "search.… belongs to a search",
        "search.scheduler.grace_period=3",
        "+search=asha search.scheduler.grace_period=3",
    ),
    (
        "'search.points=[{optimizer.lr: 0.1}]'",
        "search.… belongs to a search",
        "search.points=[{optimizer.lr: 0.1}]",
        "+search=asha 'search.points=[{optimizer.lr: 0.1}]'",
    ),
    ("+model=cnn", "model has a value already, so it is changed without +", "+model=cnn", "model=cnn"),
    ("+seed=3", "seed has a value already, so it is changed without +", "+seed=3", "seed=3"),
    (
        "+search=asha +search=random",
        "search has a value already, so it is changed without +",
        "+search=random",
        "search=random",
    ),
]
KEYS = [
    ("modl=cnn", "modl must be a key of the configuration", "modl=cnn", "model=cnn"),
    ("sede=3", "sede must be a key of the configuration", "sede=3", "seed=3"),
    (
        "budget.num_trails=3",
        "budget.num_trails must be a key of the configuration",
        "budget.num_trails=3",
        "budget.num_trials=3",
    ),
    ("optimizer.lrr=1", "optimizer.lrr must be a key of the configuration", "optimizer.lrr=1", "optimizer.lr=1"),
    (
        "search_space.optimizer.lr.loww=1",
        "search_space.optimizer.lr.loww must be a key of the configuration",
        "search_space.optimizer.lr.loww=1",
        "search_space.optimizer.lr.low=1",
    ),
    (
        "optimizer.amsgrad=true",
        "optimizer.amsgrad must be a key of the configuration",
        "optimizer.amsgrad=true",
        "one of: optimizer._target_, optimizer.betas, optimizer.fused, optimizer.lr, optimizer.weight_decay; or "
        "+optimizer.amsgrad=…, where the class takes it",
    ),
    ("optimizer.lr.x=3", "optimizer.lr holds a value, and no keys", "optimizer.lr.x=3", "optimizer.lr=…"),
    ("optimizer/x=3", "optimizer/x must be a config group", "optimizer/x=3", f"one of those that {HELP} lists"),
    (
        "~foo",
        "~ must name a key that exists, or with = the value that it has",
        "~foo",
        "python -m raytune_nn --cfg job",
    ),
    (
        "~optimizer.lr=5",
        "~ must name a key that exists, or with = the value that it has",
        "~optimizer.lr=5",
        "~optimizer.lr",
    ),
    (
        "~optimizer=foo",
        "~ must name a key that exists, or with = the value that it has",
        "~optimizer=foo",
        "~optimizer",
    ),
]
TYPES = [
    ("budget.num_trials=many", "budget.num_trials must be an integer", None, "budget.num_trials=<integer>"),
    ("budget.num_trials=2.5", "budget.num_trials must be an integer", None, "budget.num_trials=<integer>"),
    ("budget.num_trials=null", "budget.num_trials must not be null", None, "budget.num_trials=…"),
    ("budget.max_hours=1h", "budget.max_hours must be a float", None, "budget.max_hours=<float>"),
    ("study.name=[1]", "study.name must be a string", None, "study.name=<string>"),
    ("study.resume=sometimes", "study.resume must be one of auto, never, must", None, "study.resume=auto"),
    (
        "mode=plann",
        "mode must be one of run, plan, report, doctor, reproduce, confirm, lr_range, submit, export, list, stop",
        None,
        "mode=plan",
    ),
    ("objective.take=lsat", "objective.take must be one of best, last", None, "objective.take=last"),
    ("mode=null", "mode must not be null", None, "mode=…"),
    ("study=null", "study must not be null", None, "study=…"),
    ("study=5", "study must be a mapping", None, "study.<key>=…"),
    ("budget=[1]", "budget must be a mapping", None, "budget.<key>=…"),
    (
        "+search=asha search.searcher=tpe",
        "search.searcher must be a mapping",
        "search.searcher=tpe",
        "search/searcher=tpe",
    ),
    (
        "security.allow_targets=os.system",
        "security.allow_targets must be a list",
        None,
        "'security.allow_targets=[os.system]'",
    ),
]
TEXTS = [
    ("budget", "an override must read key=value", "budget", "budget=…"),
    ("++", "an override must read key=value", "++", "budget.num_trials=…"),
    (
        "optimizer.lr=loguniform(1e-5,1e-1)",
        "an override must read key=value, in quotes where the shell or Hydra would read brackets",
        None,
        """'optimizer.lr="loguniform(1e-5,1e-1)"'""",
    ),
    (
        "'study.name=[a'",
        "an override must read key=value, in quotes where the shell or Hydra would read brackets",
        "study.name=[a",
        """'study.name="[a"'""",
    ),
    (
        "seed=1,2",
        "one command runs one study: several values are a list, or a choice of the search space",
        None,
        "'seed=[1,2]'",
    ),
]
REFERENCES = [
    ("'study.name=${nope}'", "an interpolation must refer to a key that exists", "study.name=${nope}", "+nope=…"),
    (
        "'seed=${nope:x}'",
        "an interpolation must lead to a value",
        "seed=${nope:x} (Unsupported interpolation type nope)",
        "${budget.max_epochs}",
    ),
    (
        "'seed=${verbose}' 'verbose=${seed}'",
        "an interpolation must lead to a value",
        "Recursive interpolation detected",
        "${budget.max_epochs}",
    ),
]


@pytest.mark.parametrize(
    ("command", "rule", "found", "fix"), [*OPTIONS, *PLUS, *KEYS, *TYPES, *TEXTS, *REFERENCES], ids=lambda text: text
)
def test_a_command_that_does_not_compose(command: str, rule: str, found: str | None, fix: str) -> None:
    ran = refused(*shlex.split(command))
    assert ran.rule == rule
    assert (found or command) in ran.found
    assert ran.fix.startswith(fix)


@pytest.mark.parametrize(("command", "fix"), [(row[0], row[3]) for row in PLUS + KEYS[:5]])
def test_what_the_message_says_to_type_composes(command: str, fix: str) -> None:
    """The override that was wrong, replaced; `search/searcher=…` and the like come with their search."""
    typed = shlex.split(command)
    compose(*typed[:-1], *shlex.split(fix))


def test_an_override_without_a_key() -> None:
    assert refused("=3").rule.startswith("an override must read key=value")


def test_a_primary_config_that_does_not_exist() -> None:
    ran = refused("--config-name", "nope")
    assert (ran.rule, ran.found) == ("a configuration file must exist", "nope")
    assert ran.fix == "--config-dir <the folder that holds nope.yaml>"


def test_any_other_error_is_shown_as_it_is() -> None:
    error = explain(ValueError("something new in Hydra"), ["a=1"])
    assert (error.rule, error.found, error.fix) == ("the configuration must compose", "something new in Hydra", HELP)


@pytest.mark.parametrize(
    ("name", "names", "meant"),
    [
        ("mpl", ["cnn", "mlp"], "mlp"),
        ("ahsa", ["random", "asha"], "asha"),
        ("lrr", ["weight_decay", "lr"], "lr"),
        ("zzz", ["cnn", "mlp"], None),
        ("x", [], None),
    ],
)
def test_nearest(name: str, names: list[str], meant: str | None) -> None:
    assert nearest(name, names) == meant
