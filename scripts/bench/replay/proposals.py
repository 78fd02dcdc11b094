"""What is tried next: the configurations of a table in random order, or as TPE suggests them."""

from __future__ import annotations

import random
from typing import Any, cast

import numpy as np
from curve_table import Table
from optuna.samplers import BaseSampler, RandomSampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator

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
    """TPE's suggestions, drawn from the configurations that were not tried yet."""

    def __init__(self, table: Table, seed: int) -> None:
        self.params = [curve.params for curve in table.curves]
        self.searcher = TableTPE(self.params, seed, Proposals(table, seed).order)

    def next(self, number: int) -> int:
        self.searcher.suggest(number)
        return self.searcher.order[number]

    def on_report(self, trial: str, step: int, score: float) -> None:
        self.searcher.on_report(trial, step, score)

    def on_pause(self, trial: str, configuration: int) -> None:
        self.searcher.on_pause(trial, self.params[configuration])

    def learn(self, trial: str, configuration: int, score: float | None, state: str) -> None:
        self.searcher.on_end(trial, self.params[configuration], score, state)


class TableTPE(TPE):
    """TPE over the rows of a table, without replacement.

    Where TPE draws its candidates from the density of the good, this draws rows in proportion to that density; where
    it draws at random, the next row of the order stands in.

    Args:
        rows: The configurations: numbers by name.
        seed: Another seed gives other suggestions.
        shared: The order in which random search tries them.
    """

    def __init__(self, rows: list[dict[str, float]], seed: int, shared: list[int]) -> None:
        self.columns = {name: np.array([params[name] for params in rows]) for name in rows[0]}
        super().__init__(parse_space({name: domain(values) for name, values in self.columns.items()}), seed)
        self.rows, self.shared = rows, shared
        self.untried = np.ones(len(rows), dtype=bool)
        self.order: list[int] = []  # the row of each suggestion

    def _sampler(self, seed: int) -> BaseSampler:
        sampler: Any = super()._sampler(seed)
        sampler._parzen_estimator_cls = self._density()  # which a random one has no use for
        return cast(BaseSampler, sampler)

    def _density(self) -> type[_ParzenEstimator]:
        """What draws rows."""

        class Density(_ParzenEstimator):
            def sample(density, rng: np.random.RandomState, size: int) -> dict[str, Any]:
                values = {name: column[self.untried].astype(float) for name, column in self.columns.items()}
                logarithms = density.log_pdf({name: values[name] for name in density._search_space})
                weights = np.exp(logarithms - logarithms.max())
                drawn = rng.choice(len(weights), size, p=weights / weights.sum())
                return {name: values[name][drawn] for name in density._search_space}

        return Density

    def _imagine(self, sampler: BaseSampler) -> dict[str, Any]:
        if not self.untried.any():
            return {}  # asked ahead of a suggestion that nobody will want
        if isinstance(sampler, RandomSampler):
            row = next(row for row in self.shared if self.untried[row])
        else:
            suggested = super()._imagine(sampler)
            same = [column == suggested[name] for name, column in self.columns.items()]
            row = int(np.flatnonzero(np.all(same, axis=0) & self.untried)[0])
        self.untried[row] = False
        self.order.append(row)
        return dict(self.rows[row])


def is_logarithmic(values: np.ndarray[Any, Any]) -> bool:
    """Whether a parameter is positive and spans two orders of magnitude."""
    return bool(values.min() > 0 and values.max() / values.min() >= 100)


def domain(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The distribution over a parameter's range in the table."""
    integers = values.dtype.kind == "i"
    names = ("randint", "lograndint") if integers else ("uniform", "loguniform")
    return {"dist": names[is_logarithmic(values)], "low": values.min().item(), "high": values.max().item()}
