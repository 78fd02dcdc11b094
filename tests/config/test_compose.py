"""Composing: what a command line and the user's files come to, and what of them is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from command_line import compose, inside, refused

from raytune_nn.config.compose import compose_branch, conf_dir, type_config
from raytune_nn.space.domains import LogUniform, Uniform
from raytune_nn.space.parse import parse_space

pytestmark = pytest.mark.usefixtures("here")

LR = "search_space.optimizer.lr"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def branch(group: str, option: str, *arguments: str) -> dict[str, object]:
    return inside(lambda composed: compose_branch(composed.overrides, group, option), *arguments)


def test_conf_dir_holds_the_primary_configuration() -> None:
    folder = Path(conf_dir())
    assert folder.is_absolute()
    assert (folder / "config.yaml").is_file()


def test_overrides_arrive_with_their_types() -> None:
    config = compose("budget.num_trials=3", "study.name=5", "optimizer.lr=1e-2", "data.image=false").config
    assert config["budget"]["num_trials"] == 3
    assert config["study"]["name"] == "5"
    assert config["optimizer"]["lr"] == 0.01
    assert config["data"]["image"] is False


def test_interpolations_stay_for_the_trials_and_are_resolved_for_the_driver() -> None:
    composed = compose("budget.max_epochs=5", "seed=${budget.max_epochs}")
    assert composed.config["trainer"]["max_epochs"] == "${budget.max_epochs}"
    assert composed.settings.trainer["max_epochs"] == composed.settings.seed == 5
    assert composed.config["model"]["num_classes"] == "${from_data:num_classes}"


def test_choices_overrides_and_arguments_are_remembered() -> None:
    composed = compose("optimizer=sgd", "+search=asha", "optimizer.lr=0.1")
    assert composed.choices["optimizer"] == "sgd"
    assert composed.choices["search/scheduler"] == "asha"
    assert set(composed.overrides) == {"optimizer=sgd", "+search=asha", "optimizer.lr=0.1"}
    assert composed.arguments == ("optimizer=sgd", "+search=asha", "optimizer.lr=0.1")


@pytest.mark.parametrize(
    ("arguments", "scheduler"),
    [
        (("+search=asha", "search/scheduler=none"), "NoScheduler"),
        (("search/scheduler=none", "+search=asha"), "NoScheduler"),
        (("+search=random", "search/scheduler=asha"), "ASHA"),
    ],
)
def test_any_scheduler_goes_with_any_search_in_either_order(arguments: tuple[str, ...], scheduler: str) -> None:
    assert compose(*arguments).config["search"]["scheduler"]["_target_"].endswith(f".{scheduler}")


@pytest.mark.parametrize(
    ("override", "key", "fix"),
    [
        ("+foo=1", "foo", "one of: budget, callbacks, checkpoints, cluster, confirm"),
        ("++foo=1", "foo", "one of: budget, callbacks, checkpoints, cluster, confirm"),
        ("+study.nam=a", "study.nam", "study.name=a"),
        ("+budget.epochs=3", "budget.epochs", "budget.max_epochs=3"),
        ("+search.foo=1", "search.foo", "one of: search.fidelity, search.points, search.scheduler"),
    ],
)
def test_a_key_added_with_plus_is_refused_where_the_schema_has_none(override: str, key: str, fix: str) -> None:
    ran = refused(override)
    assert ran.rule == f"{key} must be a key of the configuration"
    assert ran.found == override
    assert ran.fix.startswith(fix)


def test_a_key_of_somebody_elses_class_can_be_added() -> None:
    assert compose("+model.net.extra=1").config["model"]["net"]["extra"] == 1


@pytest.mark.parametrize("override", ["seed=???", "model.net.width=???", "optimizer.lr=???", "~budget.max_epochs"])
def test_a_value_that_is_missing_is_named(override: str) -> None:
    ran = refused(override)
    key = override.strip("~").partition("=")[0]
    assert (ran.rule, ran.found, ran.fix) == (f"{key} must have a value", "???", f"{key}=…")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_config_dir_may_stand_anywhere(here: Path, place: int) -> None:
    write(here / "my_conf/model/mine.yaml", "_target_: my_pkg.Mine\nwidth: 3\n")
    arguments = ["model=mine", "seed=1"]
    arguments[place:place] = ["--config-dir", "my_conf"]
    composed = compose(*arguments)
    assert composed.config["model"] == {"_target_": "my_pkg.Mine", "width": 3}
    assert composed.config["search_space"] == {}  # no space is named after this model, and none has to be
    assert composed.settings.seed == 1


def test_a_second_config_dir_is_a_searchpath(here: Path) -> None:
    write(here / "one/model/mine.yaml", "_target_: my_pkg.Mine\n")
    write(here / "two/search_space/mine.yaml", "optimizer: {lr: 'uniform(0, 1)'}\n")
    searchpath = f"hydra.searchpath=[file://{here}/two]"
    composed = compose("--config-dir=one", searchpath, "model=mine")
    assert composed.config["search_space"] == {"optimizer": {"lr": "uniform(0, 1)"}}
    composed = compose("--config-dir", "one", searchpath, "search_space=mine")
    assert composed.config["search_space"] == {"optimizer": {"lr": "uniform(0, 1)"}}


@pytest.mark.parametrize("flag", [("--config-dir", "nowhere"), ("--config-dir=nowhere",), ("-cd", "nowhere")])
def test_a_config_dir_that_is_missing_is_refused(flag: tuple[str, ...]) -> None:
    ran = refused("seed=1", *flag)
    assert ran.rule == "--config-dir must be a folder that exists"
    assert ran.found == "nowhere"


@pytest.mark.parametrize("entry", ["file:///nowhere/conf", "/nowhere/conf"])
def test_a_searchpath_entry_that_is_missing_is_refused_without_hydras_warning(entry: str) -> None:
    ran = refused(f"hydra.searchpath=[{entry}]")
    assert (ran.rule, ran.found) == ("a config dir must exist", "/nowhere/conf")
    assert "Warning" not in ran.err


def test_a_file_with_the_name_of_a_built_in_is_refused(here: Path) -> None:
    write(here / "my_conf/model/mlp.yaml", "_target_: my_pkg.Mine\n")
    ran = refused("--config-dir", "my_conf")
    file = here / "my_conf/model/mlp.yaml"
    assert ran.rule == "a config file must not have the name of a built-in one, which would win"
    assert ran.found == str(file)
    assert ran.fix == f"mv {file} {here}/my_conf/model/my_mlp.yaml"


def test_a_folder_with_its_own_config_brings_the_whole_configuration(here: Path) -> None:
    """Such as ``best/`` of a study: it wins over the built-in one, whose groups are still there."""
    write(here / "best/config.yaml", "seed: 7\nbudget: {max_epochs: 3}\n")
    ran = refused("--config-dir", "best")
    assert ran.rule == "mode must have a value"  # nothing of the built-in config.yaml is left
    write(here / "best/config.yaml", "defaults:\n  - optimizer: sgd\n  - _self_\nseed: 7\n")
    ran = refused("--config-dir", "best", "+mode=plan")
    assert ran.rule == "verbose must have a value"


def test_a_composed_configuration_is_such_a_folder(here: Path) -> None:
    config = compose("optimizer=sgd", "seed=7").config
    write(here / "best/config.yaml", yaml.safe_dump(config))
    again = compose("--config-dir", "best", "budget.num_trials=2")
    assert again.config == {**config, "budget": {**config["budget"], "num_trials": 2}}
    assert compose("--config-dir", "best", "+search=asha").settings.search is not None


def test_an_own_primary_config_can_extend_the_built_in_one(here: Path) -> None:
    write(here / "my_conf/mine.yaml", "defaults:\n  - config\n  - _self_\nbudget: {num_trials: 3}\n")
    assert compose("--config-dir", "my_conf", "--config-name", "mine").settings.budget.num_trials == 3
    write(here / "my_conf/config.yaml", "defaults:\n  - config\n  - _self_\n")
    assert "cannot include the built-in one" in refused("--config-dir", "my_conf").rule


def test_a_search_space_that_was_typed_must_exist() -> None:
    ran = refused("model=cnn", "search_space=mpl", "+search=asha")
    assert ran.rule == "search_space must be one of its options"
    assert ran.found == "mpl (search_space: audio_cnn, cnn, mlp, mlp_regression, recurrent, transformer, vae)"
    assert ran.fix == "search_space=mlp"


def test_keys_of_a_search_space_can_be_merged_in_as_a_mapping() -> None:
    composed = compose("search_space={optimizer: {lr: {low: 1e-5}}}")
    assert composed.config["search_space"]["optimizer"]["lr"]["low"] == 1e-5


def test_text_and_mapping_forms_are_the_same_space() -> None:
    text = compose(f'{LR}="loguniform(1e-5, 1e-1)"').config["search_space"]
    leaf = compose(f"{LR}.low=1e-5", f"{LR}.high=1e-1").config["search_space"]
    assert text["optimizer"]["lr"] == "loguniform(1e-5, 1e-1)"
    assert parse_space(text) == parse_space(leaf)
    assert parse_space(text).domains["optimizer.lr"] == LogUniform(1e-5, 1e-1)


def test_a_whole_distribution_is_replaced_by_dropping_and_adding_it() -> None:
    space = compose(f"~{LR}", f"+{LR}={{dist: uniform, low: 0, high: 1}}").config["search_space"]
    assert space["optimizer"]["lr"] == {"dist": "uniform", "low": 0, "high": 1}
    assert parse_space(space).domains["optimizer.lr"] == Uniform(0, 1)


def test_merging_a_mapping_keeps_the_keys_that_it_does_not_name() -> None:
    """Why a whole mapping is dropped first: a choice has no bounds."""
    space = compose(f"+{LR}.options=[1]", f"{LR}.dist=choice").config["search_space"]
    assert set(space["optimizer"]["lr"]) == {"dist", "low", "high", "options"}


def test_a_branch_composes_to_the_other_option_with_the_overrides_typed() -> None:
    adam = branch("optimizer", "adam", "optimizer=sgd", "optimizer.lr=0.5", "+search=asha")
    assert adam["_target_"] == "torch.optim.Adam"
    assert adam["lr"] == 0.5
    assert "momentum" not in adam


def test_a_branch_keeps_its_interpolations() -> None:
    step = branch("lr_scheduler", "cosine", "budget.max_epochs=5")
    assert step["scheduler"] == {
        "_target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
        "T_max": "${from_trainer:total}",
        "eta_min": 0.0,
    }


def test_a_branch_is_found_on_the_searchpath_too(here: Path) -> None:
    write(here / "more/optimizer/mine.yaml", "_target_: my_pkg.Mine\n")
    assert branch("optimizer", "mine", f"hydra.searchpath=[file://{here}/more]") == {"_target_": "my_pkg.Mine"}
    assert branch("optimizer", "mine", "--config-dir", "more") == {"_target_": "my_pkg.Mine"}


@pytest.mark.parametrize(
    ("option", "arguments", "words"),
    [
        ("adagradd", (), "Could not find 'optimizer/adagradd'"),
        ("adamw", ("optimizer=sgd", "optimizer.momentum=0.9"), "optimizer.momentum"),
    ],
)
def test_an_error_in_a_branch_names_it(option: str, arguments: tuple[str, ...], words: str) -> None:
    ran = refused(*arguments, task=lambda composed: compose_branch(composed.overrides, "optimizer", option))
    assert ran.rule.startswith("every branch of search_space.optimizer.choose must compose")
    assert ran.found.startswith(f"branch {option}: ")
    assert words in ran.found
    assert ran.fix.startswith(f"~search_space.optimizer.choose.{option}")


@pytest.mark.parametrize("group", ["model.net", "seed", "optimizer.lr"])
def test_only_groups_have_branches(group: str) -> None:
    ran = refused(task=lambda composed: compose_branch(composed.overrides, group, "one"))
    assert ran.rule == f"`choose` must stand at a config group, and {group} is none"
    assert ran.fix == f"~search_space.{group}.choose"


def test_type_config_reads_what_a_study_has_stored() -> None:
    config = compose("+search=asha").config
    again = type_config(config)
    assert again.config == config
    assert again.settings.search is not None
