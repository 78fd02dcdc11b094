"""The configurations that a study can build: one for each option that changes what is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice
from raytune_nn.space.merge import merge_params
from raytune_nn.space.space import Space


def variants(
    config: Mapping[str, Any], branches: Mapping[str, Any], space: Space, largest: bool = False
) -> Iterator[dict[str, Any]]:
    """One configuration for each option that changes what is built, the other choices at their first option.

    The base configuration itself is among them only where nothing is chosen: it may be one that no trial trains.

    Args:
        largest: With every number that is searched at its highest, where the plain ones leave it as it is.
    """
    choices = [
        (path, domain.corners(), chosen)
        for path, domain, chosen in space.paths()
        if isinstance(domain, Choice) and (path in branches or _builds(path, domain))
    ]
    first = {path: options[0] for path, options, _ in reversed(choices)}
    highest = {path: _highest(domain) for path, domain, _ in space.paths()} if largest else {}
    seen: list[dict[str, Any]] = []
    for path, options, chosen in choices or [("", (None,), {})]:
        for option in options:
            params = {**highest, **first, **chosen, path: option}
            active = space.active(params)
            variant = merge_params(config, branches, {name: params[name] for name in params if name in active})
            if variant not in seen:
                seen.append(variant)
    yield from seen


def samples(
    config: Mapping[str, Any], branches: Mapping[str, Any], space: Space, seed: int
) -> Iterator[dict[str, Any]]:
    """Two trials of a search, which may build where the base configuration holds placeholders."""
    random = Random(seed)
    for _ in range(0 if space.is_empty else 2):
        yield merge_params(config, branches, space.sample(random))


def _builds(path: str, domain: Choice) -> bool:
    """Whether a choice can change which class is called."""
    return path.endswith("._target_") or any(isinstance(option, (dict, list)) for option in domain.options)


def _highest(domain: Domain) -> Any:
    corners = domain.corners()
    numbers = all(isinstance(corner, int | float) and not isinstance(corner, bool) for corner in corners)
    return max(corners) if numbers else corners[0]
