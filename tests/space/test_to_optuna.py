"""Optuna draws values of the domain, and takes back each value that a domain can have."""

from __future__ import annotations

import random
from typing import Any

import optuna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from space_strategies import choices, decimals, lograndints, moderately, quniforms, randints, rngs, scalars

from raytune_nn.space import Choice, Domain, LogRandInt, LogUniform, QUniform, RandInt, Uniform, parse_space
from raytune_nn.space.to_optuna import distribution_of, drawn_for, parameter_names, suggest, value_of

some_domain = (
    st.tuples(decimals, decimals).map(lambda pair: Uniform(*sorted(pair)))
    | quniforms(decimals)
    | randints
    | lograndints
    | choices(scalars)
)


@pytest.mark.parametrize(
    ("domain", "distribution"),
    [
        (Uniform(-1, 2), FloatDistribution(-1.0, 2.0)),
        (LogUniform(1e-4, 1e-1), FloatDistribution(1e-4, 1e-1, log=True)),
        (QUniform(0.1, 0.5, 0.1), IntDistribution(0, 4)),
        (RandInt(-3, 5), IntDistribution(-3, 5)),
        (LogRandInt(8, 512), IntDistribution(8, 512, log=True)),
        (Choice(([64, 64], None, True, 1)), CategoricalDistribution((0, 1, 2, 3))),
    ],
)
def test_the_distribution_of_each_domain(domain: Domain, distribution: Any) -> None:
    assert distribution_of(domain) == distribution


@given(some_domain, rngs)
@example(RandInt(2**53 + 1, 2**53 + 1), random.Random(0))
@example(RandInt(-(2**53) - 3, -(2**53) - 1), random.Random(0))
@moderately
def test_what_optuna_would_have_drawn_for_a_value_gives_the_value(domain: Domain, rng: random.Random) -> None:
    value = domain.sample(rng)
    drawn = drawn_for(domain, value)
    distribution = distribution_of(domain)
    assert distribution._contains(distribution.to_internal_repr(drawn))
    back = value_of(domain, drawn)
    assert back == value
    assert type(back) is type(value)


@given(some_domain)
@moderately
def test_the_ends_of_the_distribution_are_values(domain: Domain) -> None:
    distribution = distribution_of(domain)
    if isinstance(distribution, CategoricalDistribution):
        values = tuple(value_of(domain, drawn) for drawn in distribution.choices)
        assert domain == Choice(values)
        return
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    for drawn in (distribution.low, distribution.high):
        # Optuna's storages hold integers as floats, which may round them past the end.
        assert domain.contains(value_of(domain, distribution.to_external_repr(float(drawn))))


def test_steps_are_the_decimals_they_are_written_as() -> None:
    domain = QUniform(0, 0.5, 0.1)
    assert [value_of(domain, step) for step in range(6)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_question_is_answered_once() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    for domain in (Uniform(0, 1), QUniform(0, 10, 0.5), RandInt(0, 10**6), Choice(tuple(range(1000)))):
        name = domain.dist
        assert suggest(trial, name, domain) == suggest(trial, name, domain)
        assert domain.contains(suggest(trial, name, domain))


def test_branches_share_a_parameter_where_it_is_the_same() -> None:
    space = parse_space(
        {
            "optimizer": {
                "choose": {"sgd": {"momentum": "uniform(0, 1)"}, "adamw": {"lr": "loguniform(1e-5, 1e-3)"}, "lion": {}},
                "lr": "loguniform(1e-4, 1e-1)",
            }
        }
    )
    assert parameter_names(space) == {
        ("optimizer", Choice(("adamw", "lion", "sgd"))): "optimizer",
        ("optimizer.lr", LogUniform(1e-5, 1e-3)): "optimizer.lr#0",
        ("optimizer.lr", LogUniform(1e-4, 1e-1)): "optimizer.lr#1",
        ("optimizer.momentum", Uniform(0, 1)): "optimizer.momentum",
    }
