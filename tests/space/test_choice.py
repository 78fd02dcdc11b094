"""Options of a choice: equality by type, and nothing shared with whoever hands them in or takes them."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st
from space_strategies import choices, moderately, options, rngs

from raytune_nn.space import Choice


def test_options_of_different_types_are_different() -> None:
    spread = Choice((1, 1.0, True, "1", [1], [1.0], None, {"a": 1}))
    assert spread.size() == 8
    assert all(Choice((option,)) != Choice((other,)) for option, other in [(1, True), (1, 1.0), ([0], [False])])
    assert not Choice((1,)).contains(True)
    assert not Choice((1,)).contains(1.0)
    assert not Choice((0.0,)).contains(False)
    assert Choice(([1, 2],)).contains((1, 2))
    assert not Choice(([1, 2],)).contains([1, 2.0])
    assert not Choice((1,)).contains(object())
    assert not Choice((1,)).contains(math.nan)


@moderately
@given(choices())
def test_equal_choices_are_equal_and_have_one_hash(domain: Choice) -> None:
    again = Choice(tuple(domain.to_mapping()["options"]))
    assert again == domain
    assert hash(again) == hash(domain)
    assert Choice((*domain.options, "an option more")) != domain
    assert domain != domain.options


@moderately
@given(choices(st.lists(options, min_size=1, max_size=2)), rngs)
def test_changing_what_was_handed_out_changes_no_option(domain: Choice, rng: random.Random) -> None:
    before = repr(domain)
    values = domain.values()
    assert values is not None
    for handed_out in (domain.sample(rng), domain.corners()[0], values[0], domain.to_mapping()["options"][0]):
        handed_out.append("more")
    assert repr(domain) == before


def test_options_are_copied_to_plain_values() -> None:
    given_options = [(1, 2), {"a": (3,)}]
    domain = Choice(tuple(given_options))
    given_options[1]["b"] = 4  # type: ignore[index]
    assert domain.options == ([1, 2], {"a": [3]})
