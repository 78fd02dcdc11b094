"""How PBT changes the value of a parameter: a step to the side that its domain knows.

Jaderberg et al. 2017, "Population Based Training of Neural Networks", section 4: a number is multiplied by 0.8 or 1.2.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from copy import deepcopy
from fractions import Fraction
from typing import Any

from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice, LogRandInt, QUniform, RandInt
from raytune_nn.space.values import identity

DOWN, UP = 0.8, 1.2


def explored(
    params: Mapping[str, Any], domains: Mapping[str, Domain], resample: float, rng: random.Random
) -> dict[str, Any]:
    """A copy of a point in which some parameters are changed.

    Args:
        domains: Those to change, each by its domain.
        resample: The probability that one is drawn anew instead of perturbed.
    """
    changed = deepcopy(dict(params))
    for path in sorted(domains):
        domain = domains[path]
        changed[path] = domain.sample(rng) if rng.random() < resample else perturbed(domain, params[path], rng)
    return changed


def perturbed(domain: Domain, value: Any, rng: random.Random) -> Any:
    """A value of the domain beside this one, or this one again where a bound is in the way.

    Integers and values on a grid move at least by one step, options of a choice to a neighbour in their list: that
    options look like numbers means nothing. A real number of exactly 0 stays.
    """
    factor = rng.choice((DOWN, UP))
    if isinstance(domain, Choice):
        options = [identity(option) for option in domain.options]
        return domain.corners()[_moved(options.index(identity(value)), factor, len(options))]
    if isinstance(domain, QUniform):
        step = round((Fraction(value * factor) - _decimal(domain.low)) / _decimal(domain.q))
        return grid_value(domain, _apart(step, grid_step(domain, value), factor, 0, domain.size() - 1))
    low, high = domain.corners()[0], domain.corners()[-1]
    if isinstance(domain, RandInt | LogRandInt):
        return _apart(round(value * factor), value, factor, low, high)
    return min(max(value * factor, low), high)


def grid_step(domain: QUniform, value: float) -> int:
    """How many steps of ``q`` a value lies above ``low``."""
    return round((Fraction(value) - _decimal(domain.low)) / _decimal(domain.q))


def grid_value(domain: QUniform, step: int) -> float:
    """The value so many steps of ``q`` above ``low``."""
    return float(_decimal(domain.low) + step * _decimal(domain.q))


def _moved(index: int, factor: float, count: int) -> int:
    return min(max(index + (1 if factor > 1 else -1), 0), count - 1)


def _apart(new: int, old: int, factor: float, low: int, high: int) -> int:
    if new == old:
        new += 1 if factor > 1 else -1
    return min(max(new, low), high)


def _decimal(number: float) -> Fraction:
    return Fraction(repr(number))
