"""Each distribution by itself: draws, bounds, membership, listing."""

from __future__ import annotations

import math
import pickle
import random
import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_strategies import (
    Extreme,
    decimals,
    domains,
    extreme_rngs,
    lograndints,
    loguniforms,
    moderately,
    quniforms,
    rngs,
    uniforms,
)

from raytune_nn.space import (
    DISTRIBUTIONS,
    Choice,
    Domain,
    LogRandInt,
    LogUniform,
    QUniform,
    RandInt,
    Uniform,
)
from raytune_nn.space.base import MOST_LISTED
from raytune_nn.space.values import LARGEST_INT, identity

BIGGEST, SMALLEST = sys.float_info.max, 5e-324


@moderately
@given(domains, rngs)
def test_a_sample_lies_in_its_domain_and_among_the_corners(domain: Domain, rng: random.Random) -> None:
    value = domain.sample(rng)
    assert domain.contains(value)
    assert all(domain.contains(corner) for corner in domain.corners())
    if not isinstance(domain, Choice):
        assert domain.corners()[0] <= value <= domain.corners()[-1]


@moderately
@given(uniforms | loguniforms | lograndints, extreme_rngs)
def test_rounding_at_the_extremes_of_the_generator_leaves_no_interval(domain: Domain, rng: random.Random) -> None:
    assert domain.contains(domain.sample(rng))


@pytest.mark.parametrize(
    "domain",
    [
        Uniform(-BIGGEST, BIGGEST),
        Uniform(BIGGEST, BIGGEST),
        Uniform(0, SMALLEST),
        LogUniform(SMALLEST, BIGGEST),
        LogUniform(BIGGEST, BIGGEST),
        LogUniform(1.7976931348621712e308, 1.7976931348621712e308),  # its logarithm is rounded up
        LogUniform(0.1, math.nextafter(0.1, 1)),
        LogRandInt(1, LARGEST_INT),
        LogRandInt(LARGEST_INT, LARGEST_INT),
    ],
)
def test_the_largest_ranges_and_bounds_are_sampled_without_overflow(domain: Domain) -> None:
    for rng in (Extreme(0.0), Extreme(2.0**-53), Extreme(1 - 2.0**-53), *[random.Random(1)] * 100):
        assert domain.contains(domain.sample(rng))


@moderately
@given(quniforms())
def test_a_grid_of_steps_stays_below_high_and_reaches_as_far_as_it_can(domain: QUniform) -> None:
    last = domain.corners()[-1]
    assert domain.low <= last <= domain.high
    low, high, q = (Fraction(repr(number)) for number in (domain.low, domain.high, domain.q))
    assert low + (domain.size() - 1) * q <= high < low + domain.size() * q


@moderately
@given(quniforms(decimals), st.data())
def test_a_step_of_decimals_is_the_decimal_itself(domain: QUniform, data: st.DataObject) -> None:
    step = data.draw(st.integers(0, min(domain.size(), 1000) - 1))
    exact = Fraction(str(domain.low)) + step * Fraction(str(domain.q))
    assert domain.contains(float(exact))
    if domain.size() < 2000:
        values = domain.values()
        assert values is not None
        assert values[step] == float(exact)


def test_tenths_are_written_as_tenths() -> None:
    tenths = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert QUniform(0, 1, 0.1).values() == tenths
    assert not QUniform(0, 1, 0.1).contains(0.1 + 0.2)
    assert QUniform(0.1, 0.7, 0.25).values() == (0.1, 0.35, 0.6)
    assert QUniform(-0.3, 0.3, 0.3).values() == (-0.3, 0.0, 0.3)


def test_a_step_beyond_high_that_rounds_to_high_is_no_value() -> None:
    domain = QUniform(0, 2.0**53, 2.5)
    beyond = Fraction(domain.size()) * Fraction(5, 2)
    assert beyond > domain.high == float(beyond)
    assert not domain.contains(domain.high)


@moderately
@given(domains)
def test_values_are_all_different_and_as_many_as_size_says(domain: Domain) -> None:
    size, values = domain.size(), domain.values()
    if size is None or size > MOST_LISTED:
        assert values is None
    elif size < 2000:  # one that takes long to list teaches no more
        assert values is not None
        assert len(values) == len({identity(value) for value in values}) == size
        assert all(domain.contains(value) for value in values[:100])
        if not isinstance(domain, Choice):
            assert (values[0], values[-1]) == (domain.corners()[0], domain.corners()[-1])


def test_finite_domains_list_every_value() -> None:
    assert RandInt(-1, 2).values() == (-1, 0, 1, 2)
    assert LogRandInt(1, 4).values() == (1, 2, 3, 4)
    assert Uniform(0.5, 0.5).values() == LogUniform(0.5, 0.5).values() == (0.5,)
    assert Uniform(0, 1).values() is None
    assert RandInt(0, MOST_LISTED).values() is None
    assert RandInt(0, MOST_LISTED).size() == MOST_LISTED + 1


@pytest.mark.parametrize("domain", [RandInt(2, 4), LogRandInt(2, 4), QUniform(2, 4, 1), Choice((2, 3, 4))])
def test_every_value_is_drawn_also_at_both_ends(domain: Domain) -> None:
    rng = random.Random(0)
    assert {domain.sample(rng) for _ in range(200)} == {2, 3, 4}


def test_logarithmic_integers_have_the_share_of_their_interval() -> None:
    rng, domain = random.Random(0), LogRandInt(1, 4)
    drawn = [domain.sample(rng) for _ in range(20_000)]
    for value in (1, 2, 3, 4):
        share = math.log((value + 0.5) / (value - 0.5)) / math.log(4.5 / 0.5)
        assert drawn.count(value) / len(drawn) == pytest.approx(share, abs=0.02)


def test_real_numbers_are_spread_evenly_or_by_their_logarithm() -> None:
    rng = random.Random(0)
    linear = [Uniform(10, 20).sample(rng) for _ in range(4000)]
    logarithmic = [LogUniform(1e-4, 1e-2).sample(rng) for _ in range(4000)]
    assert sum(value < 15 for value in linear) / 4000 == pytest.approx(0.5, abs=0.04)
    assert sum(value < 1e-3 for value in logarithmic) / 4000 == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("kind", [Uniform, LogUniform, RandInt, LogRandInt])
def test_equal_bounds_leave_one_value(kind: type[Any]) -> None:
    domain = kind(3, 3)
    assert domain.sample(random.Random(0)) == 3
    assert domain.corners() == domain.values() == (3,)


@pytest.mark.parametrize("value", [True, "1", None, [1], math.nan, math.inf, -1, 10**400, 4])
@pytest.mark.parametrize(
    "domain", [Uniform(0, 3), LogUniform(1, 3), QUniform(0, 3, 1), RandInt(0, 3), LogRandInt(1, 3)]
)
def test_what_is_no_number_inside_is_not_contained(domain: Domain, value: object) -> None:
    assert not domain.contains(value)


def test_integers_are_reals_and_floats_are_no_integers() -> None:
    assert Uniform(0, 3).contains(1)
    assert QUniform(0, 3, 1).contains(1)
    assert not QUniform(0, 3, 1).contains(1.5)
    assert not RandInt(0, 3).contains(1.0)
    assert RandInt(0, 3).contains(1)


def test_bounds_become_the_type_of_the_values() -> None:
    assert Uniform(0, 1) == Uniform(0.0, 1.0)
    assert type(Uniform(0, 1).low) is float
    assert RandInt(1, 1e3) == RandInt(1, 1000)  # type: ignore[arg-type]
    assert type(RandInt(1, 1e3).high) is int  # type: ignore[arg-type]
    different: list[Domain] = [Uniform(1, 2), LogUniform(1, 2), RandInt(1, 2), LogRandInt(1, 2)]
    assert all(a is b or a != b for a in different for b in different)


@moderately
@given(domains)
def test_domains_travel_between_processes(domain: Domain) -> None:
    assert pickle.loads(pickle.dumps(domain)) == domain


@moderately
@given(domains)
def test_the_mapping_form_builds_an_equal_domain(domain: Domain) -> None:
    fields = domain.to_mapping()
    assert DISTRIBUTIONS[fields.pop("dist")](**fields) == domain
