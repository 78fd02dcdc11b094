"""A search space: which parameters there are, what each can be, and which exist under which chosen group.

A point of the space is flat: ``{"optimizer": "sgd", "optimizer.lr": 0.1, "optimizer.momentum": 0.9}``. Keys
are paths into the configuration; a chosen config group stands under its own path. Parameters of branches that
were not chosen are not part of the point.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from raytune_nn.errors import SpaceError
from raytune_nn.space.domains import Choice, Domain


@dataclass(frozen=True)
class GroupChoice:
    """The choice of an option for a config group.

    Args:
        branches: Option to the space that exists under it; its paths are absolute and below the group's.

    Raises:
        SpaceError: there is no option.
    """

    branches: Mapping[str, Space]

    def __post_init__(self) -> None:
        if not self.branches:
            raise SpaceError("a choice of a config group must have at least one option", "{}")
        object.__setattr__(self, "branches", {name: self.branches[name] for name in sorted(self.branches)})

    @property
    def names(self) -> Choice:
        """The options as a domain, in alphabetical order."""
        return Choice(tuple(self.branches))


@dataclass(frozen=True)
class Space:
    """Domains by path, and choices of config groups by path. No path stands above another one.

    Args:
        domains: The parameters that always exist.
        choices: The config groups to choose; each brings the parameters of its branches.
    """

    domains: Mapping[str, Domain] = field(default_factory=dict)
    choices: Mapping[str, GroupChoice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("domains", "choices"):
            given = getattr(self, name)
            object.__setattr__(self, name, {path: given[path] for path in sorted(given)})

    def sample(self, rng: random.Random) -> dict[str, Any]:
        """Draw a point. Space and state of ``rng`` decide it; the order of keys in a file does not."""
        params: dict[str, Any] = {}
        for path, domain in self._level():
            params[path] = domain.sample(rng)
            if path in self.choices:
                params |= self.choices[path].branches[params[path]].sample(rng)
        return params

    def active(self, params: Mapping[str, Any]) -> dict[str, Domain]:
        """The domains by path that exist where the groups are chosen as in ``params``.

        A group's own domain is a ``Choice`` of its options. Where ``params`` holds none of them, nothing
        below that group is active.
        """
        found: dict[str, Domain] = {}
        for path, domain in self._level():
            found[path] = domain
            if path in self.choices and domain.contains(params.get(path)):
                found |= self.choices[path].branches[params[path]].active(params)
        return found

    def contains(self, params: Mapping[str, Any]) -> bool:
        """Whether ``params`` is a point: all active paths and no others, each value inside its domain."""
        active = self.active(params)
        return active.keys() == params.keys() and all(active[path].contains(params[path]) for path in active)

    def paths(self) -> Iterator[tuple[str, Domain, dict[str, str]]]:
        """Every path with its domain and the options that have to be chosen for it to exist.

        These are ``{"optimizer": "sgd"}`` or the like; a path comes once for each branch that has it.
        """
        return self._paths({})

    def chooses(self, path: str) -> bool:
        """Whether a path is that of a config group which is chosen, at any depth."""
        branches = [branch for group in self.choices.values() for branch in group.branches.values()]
        return path in self.choices or any(branch.chooses(path) for branch in branches)

    def to_mapping(self) -> dict[str, Any]:
        """The space as nested plain dicts, which ``parse_space`` reads back; fit for YAML."""
        return self._nested("")

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search."""
        return not self.domains and not self.choices

    def size(self) -> int | None:
        """How many different points there are, 1 in an empty space; None where one domain is a continuum."""
        sizes = [domain.size() for domain in self.domains.values()]
        sizes += [_total([branch.size() for branch in group.branches.values()]) for group in self.choices.values()]
        known = [size for size in sizes if size is not None]
        return math.prod(known) if len(known) == len(sizes) else None

    def _level(self) -> list[tuple[str, Domain]]:
        names = {path: group.names for path, group in self.choices.items()}
        return sorted({**self.domains, **names}.items())

    def _paths(self, chosen: dict[str, str]) -> Iterator[tuple[str, Domain, dict[str, str]]]:
        for path, domain in self._level():
            yield path, domain, dict(chosen)
            if path in self.choices:
                for name, branch in self.choices[path].branches.items():
                    yield from branch._paths({**chosen, path: name})

    def _nested(self, above: str) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for path, domain in self.domains.items():
            _put(tree, path.removeprefix(above), domain.to_mapping())
        for path, group in self.choices.items():
            branches = {name: branch._nested(f"{path}.") for name, branch in group.branches.items()}
            _put(tree, path.removeprefix(above), {"choose": branches})
        return tree


def _total(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _put(tree: dict[str, Any], path: str, value: dict[str, Any]) -> None:
    *above, last = path.split(".")
    for key in above:
        tree = tree.setdefault(key, {})
    tree[last] = value
