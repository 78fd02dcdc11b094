"""How a value changes, against values by hand; and that it stays in its domain, for all of them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.search.perturbable import perturbed_paths
from raytune_nn.search.perturbation import explored, perturbed
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import DISTRIBUTIONS, Choice, LogRandInt, LogUniform, QUniform, RandInt, Uniform
from raytune_nn.space.parse import parse_space

DOMAINS: list[Domain] = [
    Uniform(-1, 3),
    Uniform(0.5, 0.5),
    LogUniform(1e-5, 1e-1),
    QUniform(0, 0.5, 0.1),
    QUniform(-0.25, 1, 0.3),
    RandInt(-4, 9),
    RandInt(7, 7),
    LogRandInt(1, 512),
    Choice((32, 64, 128)),
    Choice((1, 1.0, True, None, "a", [0.9, 0.99])),
]


def test_each_kind_of_domain_is_tried() -> None:
    assert {type(domain) for domain in DOMAINS} == set(DISTRIBUTIONS.values())


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
@pytest.mark.parametrize("resample", [0.0, 0.3])
def test_values_stay_in_their_domain(domain: Domain, resample: float) -> None:
    rng = random.Random(0)
    params = {"x": domain.sample(rng), "y": "untouched"}
    for _ in range(500):
        params = explored(params, {"x": domain}, resample, rng)
        assert domain.contains(params["x"]), params
    assert params["y"] == "untouched"


@pytest.mark.parametrize(
    ("domain", "value", "neighbours"),
    [
        (Uniform(0, 1), 0.5, {0.4, 0.6}),
        (Uniform(0, 1), 0.9, {0.9 * 0.8, 1.0}),
        (Uniform(-1, 1), -0.5, {-0.4, -0.6}),
        (LogUniform(1e-4, 1e-1), 1e-4, {1e-4, 1.2e-4}),
        (LogUniform(1e-4, 1e-1), 0.01, {0.008, 0.012}),
        (RandInt(1, 10), 2, {1, 3}),  # 1.6 and 2.4 would both be 2
        (RandInt(1, 100), 50, {40, 60}),
        (RandInt(1, 10), 10, {8, 10}),
        (RandInt(-3, 3), 0, {-1, 1}),
        (LogRandInt(1, 512), 1, {1, 2}),
        (QUniform(0, 0.5, 0.1), 0.3, {0.2, 0.4}),  # 0.24 and 0.36, on the grid
        (QUniform(0, 0.5, 0.1), 0.0, {0.0, 0.1}),
        (QUniform(0, 10, 0.5), 5.0, {4.0, 6.0}),
        (Choice((32, 64, 128)), 64, {32, 128}),
        (Choice((128, 32, 64)), 128, {128, 32}),  # its place in the list counts, not its size
    ],
    ids=repr,
)
def test_neighbours_by_hand(domain: Domain, value: Any, neighbours: set[Any]) -> None:
    found = {perturbed(domain, value, random.Random(seed)) for seed in range(50)}
    assert sorted(found) == pytest.approx(sorted(neighbours), rel=1e-15)
    assert {type(new) for new in found} == {type(value)}


def test_an_option_that_equals_another_is_not_taken_for_it() -> None:
    domain = Choice(("a", True, "b", "c", 1, "d"))
    assert {perturbed(domain, 1, random.Random(seed)) for seed in range(50)} == {"c", "d"}


def test_the_share_that_is_drawn_anew() -> None:
    domain, rng = Uniform(0, 1), random.Random(3)
    draws = [explored({"x": 0.5}, {"x": domain}, 0.25, rng)["x"] for _ in range(4000)]
    anew = [draw for draw in draws if draw not in (0.4, 0.6)]
    assert len(anew) / len(draws) == pytest.approx(0.25, abs=0.03)  # four deviations of a share of 4,000
    assert sum(anew) / len(anew) == pytest.approx(0.5, abs=0.04)


TUNED = parse_space(
    {
        "optimizer": {
            "choose": {"sgd": {"momentum": "uniform(0, 1)", "nesterov": "choice(true, false)"}, "adamw": {}},
            "lr": "loguniform(1e-4, 1e-1)",
            "_target_": "choice(torch.optim.Adam, torch.optim.AdamW)",
        },
        "model": {
            "net": {"width": "choice(32, 64)", "dropout": "uniform(0, 0.5)", "attention_dropout": "uniform(0, 1)"},
            "label_smoothing": "uniform(0, 0.2)",
            "learning_rate": "loguniform(1e-4, 1e-1)",
            "_target_": "choice(mine.A, mine.B)",
        },
        "callbacks": {"l1": {"weight": "loguniform(1e-6, 1e-3)"}, "noise": {"choose": {"input": {}, "gradient": {}}}},
        "lr_scheduler": {"warmup": "randint(0, 3)"},
        "data": {"batch_size": "choice(32, 64)", "train_fraction": "uniform(0.5, 1)"},
        "trainer": {"gradient_clip_val": "uniform(0.1, 1)"},
        "seed": "randint(0, 9)",
    }
)
DEFAULT = {
    "optimizer.lr",
    "optimizer.momentum",
    "model.net.dropout",
    "model.net.attention_dropout",
    "model.label_smoothing",
    "model.learning_rate",
    "callbacks.l1.weight",
    "lr_scheduler.warmup",
}


def test_how_it_is_trained_is_perturbed_and_what_is_trained_is_not() -> None:
    assert perturbed_paths(TUNED, None) == DEFAULT


def test_named_paths_alone_are_perturbed() -> None:
    for named in (["optimizer.lr"], ["data.batch_size", "trainer.gradient_clip_val"]):
        assert perturbed_paths(TUNED, named) == set(named)


@pytest.mark.parametrize(
    "path",
    [
        *("model.net.width", "model._target_", "data.train_fraction", "seed"),
        *("optimizer", "optimizer._target_", "optimizer.nesterov", "callbacks.noise"),
    ],
)
def test_what_would_change_the_network_or_the_data_is_refused_by_name(path: str) -> None:
    with pytest.raises(ConfigError, match="must leave the network") as refusal:
        perturbed_paths(TUNED, ["optimizer.lr", path])
    assert refusal.value.found == path
    assert refusal.value.fix.startswith("'search.scheduler.perturb=[optimizer.lr]'")


def test_a_path_that_is_not_tuned_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be one of search_space") as refusal:
        perturbed_paths(TUNED, ["optimizer.betas"])
    assert str(refusal.value.found).startswith("optimizer.betas (search_space: ")


@pytest.mark.parametrize("named", [None, []])
def test_nothing_to_perturb_is_refused(named: list[str] | None) -> None:
    space = parse_space({"model": {"net": {"width": "choice(32, 64)"}}})
    with pytest.raises(ConfigError, match="needs a parameter that may change"):
        perturbed_paths(space, named)
