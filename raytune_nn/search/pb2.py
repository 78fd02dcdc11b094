"""PB2, population-based bandits: PBT that learns which changes of parameters make scores rise.

Parker-Holder et al. 2020, "Provably Efficient Online Hyperparameter Optimization with Population-Based Bandits",
sections 3 and 4, Algorithm 1.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from raytune_nn.search.pbt import PBT, Member
from raytune_nn.search.perturbation import grid_step, grid_value
from raytune_nn.search.scheduler import Verdict
from raytune_nn.search.time_varying_gp import Points, propose
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice, LogRandInt, LogUniform, QUniform, RandInt


@dataclass(frozen=True)
class Change:
    """What the parameters of one member did in one interval."""

    epoch: int  # at its beginning
    params: dict[str, Any]
    gain: float  # the score at its end, less that at its beginning


class PB2(PBT):
    """Changes the numbers of a copy to where a time-varying Gaussian process expects the score to rise most.

    The model is over the numbers that are perturbed and over time, of all intervals of all members that had the same
    ones; a member that trains at present counts as a point whose gain is not known yet. Choices change as in PBT. As
    long as no gain is known (one needs two scores) the numbers do too. Arguments and everything else: as in PBT.
    """

    @cached_property
    def _changes(self) -> list[Change]:
        """Of all members, oldest first."""
        return []

    def on_report(self, trial: str, step: int, score: float) -> Verdict:
        """Take in what the parameters did since the checkpoint before."""
        member = self._members[trial]
        epoch, before, passed = member.saved, member.score, member.passed
        verdict = super().on_report(trial, step, score)
        if before is not None and member.passed > passed:
            self._changes.append(Change(epoch, member.params, score - before))
        return verdict

    def _explore(self, trial: str, source: Member, rng: random.Random) -> dict[str, Any]:
        params = super()._explore(trial, source, rng)
        numbers = {path: domain for path, domain in self._perturbed_domains(params).items() if _is_number(domain)}
        known = [change for change in self._changes if _fits(change.params, numbers)]
        if not numbers or not known:
            return params
        pending = [
            member
            for other, member in self._members.items()
            if other != trial and member.runs and _fits(member.params, numbers)
        ]
        best = propose(
            self._points([(change.epoch, change.params) for change in known], numbers),
            np.array([change.gain for change in known]),
            self._points([(member.saved, member.params) for member in pending], numbers),
            source.saved / self._interval,
            np.random.default_rng(rng.getrandbits(64)),
        )
        return params | dict(zip(numbers, map(value_at, numbers.values(), best.tolist()), strict=True))

    def _points(self, tried: Sequence[tuple[int, dict[str, Any]]], numbers: Mapping[str, Domain]) -> Points:
        times = np.array([epoch / self._interval for epoch, _ in tried])
        shares = [[share_of(domain, params[path]) for path, domain in numbers.items()] for _, params in tried]
        return Points(times, np.array(shares).reshape(len(tried), len(numbers)))


def _is_number(domain: Domain) -> bool:
    return not isinstance(domain, Choice) and domain.size() != 1


def _fits(params: Mapping[str, Any], numbers: Mapping[str, Domain]) -> bool:
    return all(path in params and domain.contains(params[path]) for path, domain in numbers.items())


def share_of(domain: Domain, value: float) -> float:
    """Where a number stands in its domain, from 0 to 1; a value of a finite domain in the middle of its own share."""
    if isinstance(domain, QUniform):
        return (grid_step(domain, value) + 0.5) / domain.size()
    low, high = _scale(domain)
    return (_on_scale(domain, value) - low) / (high - low)


def value_at(domain: Domain, share: float) -> float:
    """The number that stands there in its domain."""
    if isinstance(domain, QUniform):
        return grid_value(domain, min(int(share * domain.size()), domain.size() - 1))
    low, high = _scale(domain)
    place = low + share * (high - low)
    value = math.exp(place) if isinstance(domain, LogUniform | LogRandInt) else place
    first: float = domain.corners()[0]
    last: float = domain.corners()[-1]
    return min(max(round(value) if isinstance(domain, RandInt | LogRandInt) else value, first), last)


def _scale(domain: Domain) -> tuple[float, float]:
    """The ends of the scale on which the domain is uniform."""
    low, high = domain.corners()[0], domain.corners()[-1]
    half = 0.5 if isinstance(domain, RandInt | LogRandInt) else 0.0
    return _on_scale(domain, low - half), _on_scale(domain, high + half)


def _on_scale(domain: Domain, value: float) -> float:
    return math.log(value) if isinstance(domain, LogUniform | LogRandInt) else value
