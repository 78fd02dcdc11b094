"""The corners of a search space: points that a check has to build so that nothing between them surprises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from raytune_nn.space.base import Domain
from raytune_nn.space.check import place_of
from raytune_nn.space.domains import Choice
from raytune_nn.space.leaf import text_override, written
from raytune_nn.space.merge import value_at
from raytune_nn.space.space import Space

SHAPES = ("model", "data")  # what stands there decides what is built; corners of other parameters come after


@dataclass(frozen=True)
class Corner:
    """A point of the space, and which of its parameters make it a corner.

    Args:
        params: The whole point.
        moved: Paths that are at an end of their domain, with the options that had to be chosen for them.
        mend: The override that takes the corner out of the space.
    """

    params: dict[str, Any]
    moved: tuple[str, ...]
    mend: str


def middle(config: Mapping[str, Any], space: Space, seed: int) -> dict[str, Any]:
    """A point with the configuration's own values where they are in the space, the others drawn at random."""
    drawn = space.sample(Random(seed))
    return {path: _own(config, path, domain, drawn[path]) for path, domain in space.active(drawn).items()}


def corners(config: Mapping[str, Any], space: Space, seed: int) -> list[Corner]:
    """Each end of each domain by itself, around `middle`, and all at once at their lowest and at their highest.

    An option of a choice is an end. First come the branches of groups that are chosen, then what stands in ``model``
    and ``data``, then other parameters and all at once.
    """
    if space.is_empty:
        return []
    base, random = middle(config, space, seed), Random(seed)
    together = [_whole(space, base, _ends(space, base, high), random) for high in (False, True)]
    found = [Corner(point, tuple(point), "narrower bounds of one of them in search_space") for point in together]
    listed = sorted(space.paths(), key=lambda entry: (not space.chooses(entry[0]), not entry[0].startswith(SHAPES)))
    for path, domain, chosen in listed:
        for value in domain.corners():
            params = _whole(space, base, {**chosen, path: value}, random)
            place = place_of(config.get("search_space"), path, chosen)
            mend = _without(place, domain, value, base.get(path), space.chooses(path))
            found.append(Corner(params, (*chosen, path), mend))
    return list(_different(found))


def _without(place: str, domain: Domain, value: Any, between: Any, chooses: bool) -> str:
    """The override with which this end is no value any more."""
    if chooses:
        return f"~{place}.choose.{value}"
    if isinstance(domain, Choice):
        others = tuple(option for option in domain.options if not (option == value and type(option) is type(value)))
        return text_override(place, written(Choice(others))) if others else f"~{place}"
    if between == value or not domain.contains(between):
        return f"~{place}"
    narrower: Any = {"high" if value > between else "low": between}
    return text_override(place, written(replace(domain, **narrower)))  # type: ignore[type-var]  # a dataclass


def _different(found: list[Corner]) -> Iterator[Corner]:
    seen: list[dict[str, Any]] = []
    for corner in found[2:] + found[:2]:  # a single parameter says more about what is wrong than all of them
        if corner.params not in seen:
            seen.append(corner.params)
            yield corner


def _whole(space: Space, base: Mapping[str, Any], moved: Mapping[str, Any], random: Random) -> dict[str, Any]:
    """The point with these values; what a branch has beside them is drawn."""
    point = {**base, **moved}
    while missing := {path: domain for path, domain in space.active(point).items() if path not in point}:
        point |= {path: domain.sample(random) for path, domain in missing.items()}
    # Branches may share a path and differ in its domain.
    return {
        path: point[path] if domain.contains(point[path]) else domain.sample(random)
        for path, domain in space.active(point).items()
    }


def _ends(space: Space, base: Mapping[str, Any], high: bool) -> dict[str, Any]:
    ends = {}
    for path, domain in space.active(base).items():
        values = domain.corners()
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            ends[path] = (max if high else min)(values)
    return ends


def _own(config: Mapping[str, Any], path: str, domain: Domain, drawn: Any) -> Any:
    try:
        value = value_at(config, path)
    except KeyError:  # it exists in a branch only
        return drawn
    return value if domain.contains(value) else drawn
