"""Domains as Optuna's distributions, and their values to and fro.

Options are told by their index, since Optuna takes only plain scalars as categories, and so are the steps of
a ``quniform``, since sums of a float step leave the values that the domain has. Neither is ever logarithmic,
so that no distribution needs log and step at once, which Optuna refuses.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice, LogRandInt, LogUniform, QUniform, RandInt, Uniform
from raytune_nn.space.space import Space
from raytune_nn.space.values import identity

Names = dict[tuple[str, Domain], str]


def parameter_names(space: Space) -> Names:
    """A name for each parameter of a space: its path, numbered where branches have different domains at one path.

    Optuna wants one distribution a name; what several branches share is one parameter to a model.
    """
    domains: dict[str, list[Domain]] = {}
    for path, domain, _ in space.paths():
        at_path = domains.setdefault(path, [])
        if domain not in at_path:
            at_path.append(domain)
    return {
        (path, domain): path if len(at_path) == 1 else f"{path}#{number}"
        for path, at_path in domains.items()
        for number, domain in enumerate(at_path)
    }


def distribution_of(domain: Domain) -> BaseDistribution:
    """What Optuna draws for a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(range(len(domain.options)))
    if isinstance(domain, QUniform):
        return IntDistribution(0, domain.size() - 1)
    if isinstance(domain, RandInt | LogRandInt):
        return IntDistribution(*_outward(domain.low, domain.high), log=isinstance(domain, LogRandInt))
    if isinstance(domain, Uniform | LogUniform):
        return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))
    raise TypeError(f"no distribution of Optuna for {domain!r}")


def _outward(low: int, high: int) -> tuple[int, int]:
    """Optuna keeps integers as floats: bounds that no float has, beyond 2**53, would leave out values."""
    below, above = float(low), float(high)
    below = math.nextafter(below, -math.inf) if below > low else below
    above = math.nextafter(above, math.inf) if above < high else above
    return int(below), int(above)


def suggest(trial: Trial, name: str, domain: Domain) -> Any:
    """Asks a trial of Optuna for a value of the domain; asked again for the same name, it answers the same."""
    distribution = distribution_of(domain)
    if isinstance(distribution, CategoricalDistribution):
        return value_of(domain, trial.suggest_categorical(name, distribution.choices))
    if isinstance(distribution, IntDistribution):
        return value_of(domain, trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log))
    if isinstance(distribution, FloatDistribution):
        return value_of(domain, trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log))
    raise TypeError(f"no question to a trial of Optuna for {distribution!r}")


def value_of(domain: Domain, drawn: Any) -> Any:
    """The domain's value for what Optuna drew."""
    if isinstance(domain, Choice):
        return domain.corners()[drawn]
    if isinstance(domain, QUniform):
        step = min(max(int(drawn), 0), domain.size() - 1)
        return float(Fraction(repr(domain.low)) + step * Fraction(repr(domain.q)))
    low, high = domain.corners()[0], domain.corners()[-1]
    return min(max(type(low)(drawn), low), high)  # Optuna keeps integers as floats, which round beyond 2**53


def drawn_for(domain: Domain, value: Any) -> Any:
    """What Optuna would have drawn for a value of the domain."""
    if isinstance(domain, Choice):
        return [identity(option) for option in domain.options].index(identity(value))
    if isinstance(domain, QUniform):
        return round((Fraction(value) - Fraction(repr(domain.low))) / Fraction(repr(domain.q)))
    return value
