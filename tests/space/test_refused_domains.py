"""What no distribution can be built from: the rule, the value found, and what mends it."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_strategies import integers, moderately, reals

from raytune_nn.space import Choice, LogRandInt, LogUniform, QUniform, RandInt, Uniform
from raytune_nn.space.values import DomainError

REFUSED: list[tuple[type[Any], tuple[Any, ...], str, str, str]] = [
    (Uniform, (3, 1), "low <= high must hold", "low=3.0, high=1.0", "low=1.0 high=3.0"),
    (LogUniform, (1, 0), "low <= high must hold", "low=1.0, high=0.0", "low=0.0001 high=0.1"),
    (RandInt, (3, 1), "low <= high must hold", "low=3, high=1", "low=1 high=3"),
    (Uniform, ("0", 1), "low must be a number", '"0"', "low=0.0"),
    (Uniform, (0, True), "high must be a number", "true", "high=1.0"),
    (Uniform, (None, 1), "low must be a number", "null", "low=0.0"),
    (Uniform, (0, math.inf), "high must be a finite", "Infinity", "high=1.0"),
    (Uniform, (math.nan, 1), "low must be a finite", "NaN", "low=0.0"),
    (Uniform, (-(10**400), 1), "low must be a finite", "-1000", "low=0.0"),
    (LogUniform, (0, 0.1), "low > 0 must hold for loguniform", "low=0.0", "low=0.0001"),
    (LogUniform, (0, 1e-9), "low > 0 must hold for loguniform", "low=0.0", "low=1e-09"),
    (LogUniform, (-2, -1), "low > 0 must hold for loguniform", "low=-2.0", "low=0.0001 high=0.1"),
    (LogRandInt, (0, 9), "low > 0 must hold for lograndint", "low=0", "low=9"),
    (QUniform, (0, 1, 0), "q > 0 must hold", "q=0.0", "q=0.1"),
    (QUniform, (0, 1, -0.1), "q > 0 must hold", "q=-0.1", "q=0.1"),
    (QUniform, (0, 1e17, 1), "q must be larger than 16.0", "q=1.0", "q=1e+16"),
    (QUniform, (0, 1, "a"), "q must be a number", '"a"', "q=0.1"),
    (RandInt, (1, True), "high must be an integer", "true", "high=8"),
    (RandInt, (1.6, 5), "low must be an integer", "1.6", "low=2"),
    (RandInt, (1, math.inf), "high must be an integer", "Infinity", "high=8"),
    (RandInt, (1, 2**63), "high must fit into 64 bits", str(2**63), f"high={2**63 - 1}"),
    (LogRandInt, (1, 1e300), "high must fit into 64 bits", "1e+300", f"high={2**63 - 1}"),
    (Choice, ((),), "options must hold at least one value", "[]", 'options=["relu", "gelu"]'),
    (Choice, ("relu",), "options must be a list", '"relu"', 'options=["relu"]'),
    (Choice, ((1, "a", 1),), "options must differ from each other", '[1, "a", 1]', 'options=[1, "a"]'),
    (
        Choice,
        ((datetime.date(2020, 1, 2),),),
        "an option must be null",
        "datetime.date",
        'options=["2020-01-02"]',
    ),
    (Choice, ((math.nan,),), "an option must be null", "nan", 'options=["nan"]'),
    (Choice, (([{1: 2}],),), "an option must be null", "{1: 2}", 'options=["[{1: 2}]"]'),
]


@pytest.mark.parametrize(("kind", "fields", "rule", "found", "fix"), REFUSED)
def test_a_broken_rule_is_named_with_the_value_and_what_mends_it(
    kind: type[Any], fields: tuple[Any, ...], rule: str, found: str, fix: str
) -> None:
    with pytest.raises(DomainError) as caught:
        kind(*fields)
    assert caught.value.rule.startswith(rule)
    assert str(caught.value.found).startswith(found) or found in str(caught.value.found)
    assert caught.value.fix == fix
    mended = dict(zip(kind.field_names(), fields, strict=True)) | caught.value.mend
    kind(**mended)


@moderately
@given(
    st.sampled_from([Uniform, LogUniform, QUniform, RandInt, LogRandInt]),
    st.lists(reals | integers | st.sampled_from([None, "a", True, math.inf, 10**400]), min_size=3, max_size=3),
)
def test_whatever_is_wrong_is_mended_in_as_many_steps_as_there_are_fields(kind: type[Any], bad: list[Any]) -> None:
    fields = dict(zip(kind.field_names(), bad, strict=False))
    for _ in range(len(fields) + 1):  # each step mends one field, the last the order of the bounds
        try:
            kind(**fields)
        except DomainError as error:
            fields |= error.mend
    kind(**fields)
