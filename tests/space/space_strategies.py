"""Random domains, search-space trees and random number generators at their extremes."""

from __future__ import annotations

import math
import random
import sys
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from raytune_nn.space import Choice, Domain, LogRandInt, LogUniform, QUniform, RandInt, Uniform
from raytune_nn.space.values import LARGEST_INT

Tree = dict[str, Any]

moderately = settings(max_examples=100, deadline=None)  # a shared machine misses any deadline now and then


class Extreme(random.Random):
    """Always draws the same number from [0, 1)."""

    def __init__(self, drawn: float) -> None:
        super().__init__(0)
        self.drawn = drawn

    def random(self) -> float:
        return self.drawn


rngs = st.integers(0, 2**32).map(random.Random)
extreme_rngs = st.sampled_from([0.0, 2.0**-53, 0.5, 1 - 2.0**-53]).map(Extreme) | rngs

reals = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, 0.1, 1.0, sys.float_info.max, -sys.float_info.max, 5e-324]
)
positives = st.floats(min_value=5e-324, allow_infinity=False)
integers = st.integers(-LARGEST_INT, LARGEST_INT) | st.integers(-5, 5)
decimals = st.decimals(-1000, 1000, places=2, allow_nan=False, allow_infinity=False).map(float)
texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    [
        "relu",
        "null",
        "yes",
        "1e-3",
        "1",
        "2020-01-01",
        "=",
        "<<",
        "a: b",
        "a, b",
        "low=3",
        "",
        " ",
        "#",
        "~",
        "'",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
options = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


def _ordered(kind: type[Any], bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(bounds, min_size=2, max_size=2).map(lambda pair: kind(*sorted(pair)))


@st.composite
def quniforms(draw: st.DrawFn, bounds: st.SearchStrategy[float] = decimals | reals) -> QUniform:
    low, high = sorted([draw(bounds), draw(bounds)])
    spacing = math.ulp(max(abs(low), abs(high)))
    q = draw(st.sampled_from([0.1, 0.25, 0.3, 1.0, 7.0]) | positives)
    return QUniform(low, high, q if q > spacing else 2 * spacing)


def choices(of: st.SearchStrategy[Any] = options) -> st.SearchStrategy[Choice]:
    return st.lists(of, min_size=1, max_size=5, unique_by=repr).map(lambda chosen: Choice(tuple(_distinct(chosen))))


def _distinct(chosen: list[Any]) -> list[Any]:
    return [item for number, item in enumerate(chosen) if not any(Choice((item,)).contains(x) for x in chosen[:number])]


uniforms = _ordered(Uniform, reals)
loguniforms = _ordered(LogUniform, positives)
randints = _ordered(RandInt, integers)
lograndints = _ordered(LogRandInt, st.integers(1, LARGEST_INT) | st.integers(1, 5))
domains: st.SearchStrategy[Domain] = st.one_of(uniforms, loguniforms, quniforms(), randints, lograndints, choices())

_keys = st.sampled_from(["lr", "a", "b", "dist", "q", "net", "optimizer", "1", "x y", "é"])
_branch_names = st.sampled_from(["sgd", "adamw", "choose", "dist", "1", "resnet1.5"])


def trees(leaves: st.SearchStrategy[Domain] = domains) -> st.SearchStrategy[Tree]:
    """Values of ``search_space``: nested mappings with groups to choose, shared siblings and shadows."""
    leaf = leaves.map(lambda domain: domain.to_mapping())

    def deeper(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        below = st.dictionaries(_keys, inner, max_size=3)
        branches = st.dictionaries(_branch_names, st.none() | below, min_size=1, max_size=3)
        group = st.builds(lambda shared, branches: {**shared, "choose": branches}, below, branches)
        return below | group

    nested: st.SearchStrategy[Tree] = st.recursive(leaf, deeper, max_leaves=8)
    return st.dictionaries(_keys, nested, max_size=3)
