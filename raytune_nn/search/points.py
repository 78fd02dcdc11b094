"""Points to try first: what the user believes to be good, before the searcher's own suggestions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.search.searcher import Score, Searcher
from raytune_nn.space.leaf import written
from raytune_nn.space.space import Space
from raytune_nn.space.values import shown

Params = dict[str, Any]


class PointsFirst(Searcher):
    """Suggests the points in their order, then what another searcher suggests, which is told of all of them.

    Args:
        points: As ``read_points`` returns them.
        searcher: What comes after them; its suggestions are numbered from 0.
    """

    def __init__(self, points: Sequence[Params], searcher: Searcher) -> None:
        self._points, self._searcher, self.learns = points, searcher, searcher.learns

    def suggest(self, number: int) -> Params | None:
        """The point, or the other searcher's suggestion."""
        if number < len(self._points):
            return deepcopy(self._points[number])
        return self._searcher.suggest(number - len(self._points))

    def replay(self, number: int, params: Params) -> None:
        """Pass on what the other searcher suggested."""
        if number >= len(self._points):
            self._searcher.replay(number - len(self._points), params)

    def on_report(self, trial: str, step: int, score: float) -> None:
        """Pass it on."""
        self._searcher.on_report(trial, step, score)

    def on_pause(self, trial: str, params: Params) -> None:
        """Pass it on."""
        self._searcher.on_pause(trial, params)

    def on_end(self, trial: str, params: Params, score: Score | None, state: str) -> None:
        """Pass it on."""
        self._searcher.on_end(trial, params, score, state)


def read_points(entries: Sequence[Any], space: Space, seed: int) -> list[Params]:
    """Checks ``search.points`` against the space.

    Args:
        entries: Each a mapping: ``{optimizer: {lr: 0.1}}``, or with dotted paths ``{optimizer.lr: 0.1}``. The option
            of a config group stands under its path, or as ``choose`` among its parameters. What an entry leaves out
            is drawn at random.
        seed: Of those draws.

    Raises:
        ConfigError: An entry is no point of the space; the message says which, and why.
    """
    groups = {path: set(domain.corners()) for path, domain, _ in space.paths() if space.chooses(path)}
    paths = {path for path, _, _ in space.paths()}
    points = []
    for number, entry in enumerate(entries):
        place = f"search.points[{number}]"
        if not isinstance(entry, Mapping) or not entry:
            raise ConfigError(f"{place} must be a mapping from paths to values", shown(entry), _example(space))
        given = dict(_flat(entry, "", paths, set(groups)))
        points.append(_filled(given, space, place, random.Random(f"{seed}/point {number}")))
    return points


def _flat(entry: Mapping[str, Any], above: str, paths: set[str], groups: set[str]) -> Iterator[tuple[str, Any]]:
    for key, value in entry.items():
        path = f"{above}{key}"
        if above[:-1] in groups and key == "choose":
            yield above[:-1], value
        elif isinstance(value, Mapping) and (path in groups or path not in paths):
            yield from _flat(value, f"{path}.", paths, groups)
        else:
            yield path, value


def _filled(given: Params, space: Space, place: str, rng: random.Random) -> Params:
    """The whole point; each choice is made before the parameters below it are looked at."""
    point: Params = {}
    while new := {path: domain for path, domain in space.active(point).items() if path not in point}:
        for path, domain in new.items():
            point[path] = deepcopy(given[path]) if path in given else domain.sample(rng)
            if not domain.contains(point[path]):
                rule = f"{place}: {path} must be in {written(domain)}"
                raise ConfigError(rule, shown(given[path]), f"in that entry, {path}: {shown(domain.corners()[0])}")
    strange = next((path for path in given if path not in point), None)
    if strange is not None:
        raise ConfigError(
            f"{place} must hold paths of search_space only, and only those that its choices leave",
            f"{strange}: {shown(given[strange])}",
            _instead(space, strange),
        )
    return point


def _instead(space: Space, path: str) -> str:
    where = [chosen for known, _, chosen in space.paths() if known == path]
    if not where:
        return f"leave {path} out, or +search_space.{path}={{…}}"
    return f"add {', '.join(f'{group}: {option}' for group, option in where[0].items())}"


def _example(space: Space) -> str:
    path, domain, _ = next(iter(space.paths()))
    return f"'search.points=[{{{path}: {shown(domain.corners()[0])}}}]'"
