"""Grid search: every point of a finite space, once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.search.searcher import Searcher
from raytune_nn.space.base import MOST_LISTED, Domain
from raytune_nn.space.domains import Choice, LogRandInt, LogUniform
from raytune_nn.space.leaf import text_override, written
from raytune_nn.space.space import Space


class GridSearcher(Searcher):
    """Suggestion n is point n of the space: paths in alphabetical order, the last one changes fastest.

    The values of a distribution come from the lowest to the highest, options as they are listed, and the options
    of a config group in alphabetical order, each with all points of its branch. The seed is of no effect.

    Args:
        space: What to enumerate.
        seed: Not used.

    Raises:
        ConfigError: A distribution has no end of values, or more than a grid could ever try.
    """

    learns = False

    def __init__(self, space: Space, seed: int = 0) -> None:
        for path, domain, _ in space.paths():
            if domain.values() is None:
                raise _not_listed(space, path, domain)
        self._grid = _Grid.of(space)

    def suggest(self, number: int) -> dict[str, Any] | None:
        """Point ``number``; None after the last."""
        return dict(self._grid.point(number)) if number < self._grid.size else None


@dataclass(frozen=True)
class _Axis:
    """One path of a level: its values, and for a group the grid below each of them."""

    path: str
    values: tuple[Any, ...]
    below: tuple[_Grid, ...]  # one a value; empty where it is no group

    @property
    def size(self) -> int:
        return sum(grid.size for grid in self.below) if self.below else len(self.values)

    def at(self, index: int) -> Iterator[tuple[str, Any]]:
        if not self.below:
            yield self.path, deepcopy(self.values[index])
            return
        for value, grid in zip(self.values, self.below, strict=True):
            if index < grid.size:
                yield self.path, value
                yield from grid.point(index)
                return
            index -= grid.size


@dataclass(frozen=True)
class _Grid:
    """All points of a space, numbered."""

    axes: tuple[_Axis, ...]
    size: int

    @classmethod
    def of(cls, space: Space) -> _Grid:
        axes = [_Axis(path, domain.values() or (), ()) for path, domain in space.domains.items()]
        for path, group in space.choices.items():
            below = tuple(cls.of(branch) for branch in group.branches.values())
            axes.append(_Axis(path, tuple(group.branches), below))
        axes.sort(key=lambda axis: axis.path)
        return cls(tuple(axes), math.prod(axis.size for axis in axes))

    def point(self, index: int) -> Iterator[tuple[str, Any]]:
        stride = self.size
        for axis in self.axes:
            stride //= axis.size
            digit, index = divmod(index, stride)
            yield from axis.at(digit)


def _not_listed(space: Space, path: str, domain: Domain) -> ConfigError:
    rule = f"a grid needs finite distributions, of at most {MOST_LISTED} values"
    fix = text_override(_place(space, path, domain), written(Choice(_three(domain))))
    return ConfigError(rule, f"search_space.{path}: {written(domain)}", f"{fix}, or search/searcher=random")


def _three(domain: Domain) -> tuple[Any, ...]:
    """The ends and the middle of an interval."""
    low, high = domain.corners()[0], domain.corners()[-1]
    middle = math.sqrt(low) * math.sqrt(high) if isinstance(domain, LogUniform | LogRandInt) else low / 2 + high / 2
    middle = float(f"{middle:.3g}") if isinstance(low, float) else round(middle)
    return tuple(dict.fromkeys((low, middle, high)))


def _place(space: Space, path: str, domain: Domain) -> str:
    """Where a distribution stands in ``search_space``: beside `choose` if all branches have it, else in its branch."""
    for group, choice in space.choices.items():
        holders = [name for name, branch in choice.branches.items() if (path, domain) in _leaves(branch)]
        if not holders:
            continue
        inside = path.removeprefix(f"{group}.")
        if len(holders) == len(choice.branches) > 1:
            return f"search_space.{path}"
        return f"search_space.{group}.choose.{holders[0]}.{inside}"
    return f"search_space.{path}"


def _leaves(space: Space) -> list[tuple[str, Domain]]:
    return [(path, domain) for path, domain, _ in space.paths()]
