"""2,000 random spaces and values through parsing and checking: each is good, or refused with what to type."""

from __future__ import annotations

from typing import Any

import pytest
from command_line import compose
from hypothesis import given, settings
from hypothesis import strategies as st

from raytune_nn.errors import ConfigError
from raytune_nn.space.check import check_space
from raytune_nn.space.parse import parse_space
from raytune_nn.space.variants import samples, variants

WORDS = ["uniform", "loguniform", "quniform", "randint", "lograndint", "choice", "relu", "torch.nn.Linear", ""]
CALLS = ["uniform(0, 1)", "choice(a", "randint(1,,2)", "loguniform(1e-400, .inf)", "choice([a], {b: !!x y})", "f()"]
KEYS = [
    "model",
    "net",
    "width",
    "dropout",
    "optimizer",
    "lr",
    "betas",
    "seed",
    "trainer",
    "budget",
    "_target_",
    "0",
    "",
]
FIELDS = ["dist", "low", "high", "q", "options", "choose", "log", "step"]

numbers = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 1e308, 10**400, float("nan")])
scalars = st.none() | st.booleans() | numbers | st.sampled_from([*WORDS, *CALLS]) | st.text(max_size=12)
leaves = st.fixed_dictionaries(
    {}, optional={name: scalars | st.lists(scalars, max_size=4) | st.sampled_from(WORDS) for name in FIELDS}
)
spaces: st.SearchStrategy[Any] = st.recursive(
    scalars | leaves,
    lambda inner: (
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | scalars, inner, max_size=2)
        | st.lists(inner, max_size=3)
        | st.builds(lambda branches: {"choose": branches}, inner)
    ),
    max_leaves=10,
)
likely = st.builds(  # where a space can be, so that many come as far as the check
    lambda lr, width, seed: {"optimizer": {"lr": lr}, "model": {"net": {"width": width}}, "seed": seed},
    leaves | st.sampled_from(CALLS),
    leaves | st.sampled_from(CALLS),
    leaves,
)


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return compose("+search=random").config


@settings(max_examples=100, deadline=None)
@given(tree=spaces | likely)
def test_a_few_spaces(tree: Any, config: dict[str, Any]) -> None:
    check(tree, config)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(tree=spaces | likely)
def test_many_spaces(tree: Any, config: dict[str, Any]) -> None:
    check(tree, config)


def check(tree: Any, config: dict[str, Any]) -> None:
    """A space can be sampled and merged, or the message says what to type."""
    refusal = None
    try:
        space = parse_space(tree)
        check_space(space, {**config, "search_space": tree}, {})
    except ConfigError as error:
        refusal = error
    if refusal is not None:
        assert refusal.rule
        assert refusal.fix
        assert "\n" not in refusal.rule
        return
    assert list(variants(config, {}, space))
    assert len(list(samples(config, {}, space, 0))) == 2
