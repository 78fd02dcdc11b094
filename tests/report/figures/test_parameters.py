"""Parameters as axes."""

from __future__ import annotations

import math

from drawn_studies import SPACE, Made
from hypothesis import given
from hypothesis import strategies as st

from raytune_nn.report.figures.parameters import Parameter, parameters, short_names, varied
from raytune_nn.space.domains import Choice, LogUniform, Uniform
from raytune_nn.space.space import GroupChoice, Space

PARTS = st.lists(st.sampled_from(["model", "net", "lr", "optimizer", "a"]), min_size=1, max_size=4)


def one(params: list[dict[str, object]], space: Space | None, path: str) -> Parameter:
    made = Made(space=space)
    made.open()
    for trial in params:
        made.trial(0.5, params=trial)
    return next(parameter for parameter in parameters(made.study()) if parameter.path == path)


def test_a_logarithmic_distribution_has_a_logarithmic_axis() -> None:
    lr = one([{"optimizer.lr": 0.1, "optimizer": "adam"}], SPACE, "optimizer.lr")
    assert lr.log
    assert lr.layout["type"] == "log"
    assert lr.at({"optimizer.lr": 0.01}) == 0.01


def test_options_stand_in_the_order_of_the_space_told_apart_by_type() -> None:
    norm = one([{"model.net.norm": "batch"}, {"model.net.norm": True}], SPACE, "model.net.norm")
    assert list(norm.options) == ["null", "true", "batch"]
    assert [norm.at({"model.net.norm": value}) for value in (None, True, "batch")] == [0.0, 1.0, 2.0]
    widths = one([{"model.net.widths": [64]}], SPACE, "model.net.widths")
    assert list(widths.options) == ["[64]", "[64, 64]", "64"]
    assert widths.at({"model.net.widths": [64, 64]}) == 1.0


def test_options_that_look_alike_are_quoted() -> None:
    space = Space({"a": Choice((1, "1", True, "true"))})
    assert list(one([{"a": 1}], space, "a").options) == ["1", '"1"', "true", '"true"']


def test_a_parameter_that_a_trial_lacks_has_no_place() -> None:
    trials: list[dict[str, object]] = [{"optimizer": "sgd", "optimizer.momentum": 0.5}, {"optimizer": "adam"}]
    momentum = one(trials, SPACE, "optimizer.momentum")
    assert momentum.conditional
    assert math.isnan(momentum.at(trials[1]))
    assert not varied(momentum, trials)


def test_branches_that_disagree_about_the_scale_share_a_linear_axis() -> None:
    branches = {"a": Space({"o.lr": LogUniform(0.1, 1)}), "b": Space({"o.lr": Uniform(0, 1)})}
    space = Space({}, {"o": GroupChoice(branches)})
    assert not one([{"o": "a", "o.lr": 0.5}], space, "o.lr").log


def test_without_a_space_the_values_decide() -> None:
    trials: list[dict[str, object]] = [{"a": 1, "b": 1}, {"a": 2.5, "b": "x"}]
    assert one(trials, None, "a").places is None
    assert list(one(trials, None, "b").options) == ["1", "x"]


def test_markup_in_an_option_is_shown_as_it_stands() -> None:
    assert list(one([{"a": "<b>"}], None, "a").options) == ["&lt;b&gt;"]


@given(st.lists(PARTS.map(".".join), unique=True, max_size=8))
def test_short_names_differ_and_are_ends_of_their_paths(paths: list[str]) -> None:
    names = short_names(paths)
    assert len(set(names.values())) == len(paths)
    for path, name in names.items():
        assert path == name or path.endswith(f".{name}")
