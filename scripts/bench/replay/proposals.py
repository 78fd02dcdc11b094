"""What is tried next: the configurations of a table in random order, or those that a searcher comes near to."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from curve_table import Table

from raytune_nn.search.searcher import Searcher
from raytune_nn.search.tpe import TPE
from raytune_nn.space.parse import parse_space


class Proposals:
    """Random search without replacement: the same order for the same table and seed.

    Args:
        table: Its configurations are proposed.
        seed: Another seed gives another order.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self.order = list(range(len(table.curves)))
        random.Random(f"{table.task}/{seed}").shuffle(self.order)

    def next(self, number: int) -> int:
        """The configuration, by its index, of trial `number`."""
        return self.order[number]

    def on_report(self, trial: str, step: int, score: float) -> None:
        """Take in a report."""

    def on_pause(self, trial: str, configuration: int) -> None:
        """Take in that a trial pauses."""

    def learn(self, trial: str, configuration: int, score: float | None, state: str) -> None:
        """Take in how a trial ended."""


class TPEProposals(Proposals):
    """TPE's suggestions, each replaced by the nearest configuration that was not tried yet.

    Near is by the sum of squared differences, each parameter scaled to its range in the table (positive ones that span
    two orders of magnitude or more, by their logarithm). TPE is told that the suggestion itself failed, which it makes
    nothing of, and learns of the configuration instead.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self.params = [curve.params for curve in table.curves]
        columns = {name: np.array([params[name] for params in self.params]) for name in self.params[0]}
        space = parse_space({name: domain(values) for name, values in columns.items()})
        self.logarithmic = {name: is_logarithmic(values) for name, values in columns.items()}
        points = np.array([self._scaled(params) for params in self.params])
        self.low, self.range = points.min(axis=0), np.ptp(points, axis=0)
        self.range[self.range == 0] = 1.0
        self.points = (points - self.low) / self.range
        self.untried = np.ones(len(points), dtype=bool)
        self.searcher: Searcher = TPE(space, seed)

    def next(self, number: int) -> int:
        suggestion = self.searcher.suggest(number)
        assert suggestion is not None
        self.searcher.on_end(f"suggestion {number}", suggestion, None, "failed")
        here = (np.array(self._scaled(suggestion)) - self.low) / self.range
        distances = ((self.points - here) ** 2).sum(axis=1)
        nearest = int(np.where(self.untried, distances, np.inf).argmin())
        self.untried[nearest] = False
        return nearest

    def on_report(self, trial: str, step: int, score: float) -> None:
        self.searcher.on_report(trial, step, score)

    def on_pause(self, trial: str, configuration: int) -> None:
        self.searcher.on_pause(trial, self.params[configuration])

    def learn(self, trial: str, configuration: int, score: float | None, state: str) -> None:
        self.searcher.on_end(trial, self.params[configuration], score, state)

    def _scaled(self, params: dict[str, float]) -> list[float]:
        return [float(np.log(params[name]) if log else params[name]) for name, log in self.logarithmic.items()]


def is_logarithmic(values: np.ndarray[Any, Any]) -> bool:
    """Whether a parameter is positive and spans two orders of magnitude."""
    return bool(values.min() > 0 and values.max() / values.min() >= 100)


def domain(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The distribution over a parameter's range in the table."""
    integers = values.dtype.kind == "i"
    names = ("randint", "lograndint") if integers else ("uniform", "loguniform")
    return {"dist": names[is_logarithmic(values)], "low": values.min().item(), "high": values.max().item()}
