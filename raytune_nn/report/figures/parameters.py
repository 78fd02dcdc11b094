"""Parameters as axes: where a value stands on a linear, a logarithmic or a categorical one."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.report.figures.look import escaped, log_axis, option
from raytune_nn.report.study import Study
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice, LogRandInt, LogUniform
from raytune_nn.space.values import identity, shown

LABEL = 18  # characters of an option at an axis


@dataclass(frozen=True)
class Parameter:
    """The axis of one parameter."""

    path: str
    name: str  # the end of the path that no other one has
    log: bool
    places: Mapping[Hashable, int] | None  # of options, by their identity; None: a number
    options: Sequence[str] = ()  # in the order of their places
    conditional: bool = False  # not every trial has it
    ticks: Mapping[str, Any] = field(default_factory=dict)  # of a number's axis

    def at(self, params: Mapping[str, Any]) -> float:
        """Where a trial's value stands; NaN where it has none."""
        if self.path not in params:
            return math.nan
        value = params[self.path]
        if self.places is not None:
            return float(self.places.get(identity(value), math.nan))
        return float(value) if _is_number(value) else math.nan

    def positions(self, trials: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
        """The same for the parameters of many trials."""
        return np.array([self.at(params) for params in trials], np.float64)

    @property
    def layout(self) -> dict[str, Any]:
        """The axis as plotly wants it."""
        axis: dict[str, Any] = {"title": {"text": escaped(self.name)}}
        if self.places is not None:
            ticks = {"tickvals": list(range(len(self.options))), "ticktext": list(self.options)}
            return {**axis, **ticks, "range": [-0.5, len(self.options) - 0.5], "zeroline": False}
        return {**axis, **self.ticks}


def parameters(study: Study) -> list[Parameter]:
    """All parameters that trials of a study have, in alphabetical order of their paths."""
    values: dict[str, list[Any]] = {}
    for trial in study.record.trials.values():
        for path, value in trial.value_params.items():
            values.setdefault(path, []).append(value)
    domains: dict[str, list[Domain]] = {}
    for path, domain, _ in study.space.paths() if study.space is not None else ():
        domains.setdefault(path, []).append(domain)
    names = short_names(sorted(values))
    trials = len(study.record.trials)
    return [
        _parameter(path, names[path], domains.get(path, []), values[path], len(values[path]) < trials)
        for path in sorted(values)
    ]


def varied(parameter: Parameter, trials: Iterable[Mapping[str, Any]]) -> bool:
    """Whether trials differ in it."""
    at = parameter.positions(trials)
    return bool(np.unique(at[np.isfinite(at)]).size > 1)


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Of each path the last two parts, or as many as tell it from the others."""
    names = {}
    for path in paths:
        parts = path.split(".")
        ends = (".".join(parts[-count:]) for count in range(2, len(parts) + 1))
        alone = (end for end in ends if sum(other == end or other.endswith(f".{end}") for other in paths) == 1)
        names[path] = next(alone, path)
    return names


def _parameter(path: str, name: str, domains: Sequence[Domain], values: Sequence[Any], conditional: bool) -> Parameter:
    chosen = [domain for domain in domains if isinstance(domain, Choice)]
    if not chosen and all(map(_is_number, values)):
        log = (
            bool(domains) and min(values) > 0 and all(isinstance(domain, LogUniform | LogRandInt) for domain in domains)
        )
        return Parameter(path, name, log, None, (), conditional, _ticks(values, log))
    every = [value for domain in chosen for value in domain.options] + list(values)
    options = {identity(value): value for value in every}
    return Parameter(
        path, name, False, {key: place for place, key in enumerate(options)}, _labels(options), conditional
    )


def _ticks(values: Sequence[float], log: bool) -> dict[str, Any]:
    """None between whole numbers, and as many powers as there is room for."""
    low, high = min(values), max(values)
    if log:
        return log_axis(math.log10(high / low))
    whole = all(isinstance(value, int) for value in values) and high - low <= 12
    return {"tickmode": "linear", "dtick": 1} if whole else {}


def _labels(options: Mapping[Hashable, Any]) -> list[str]:
    """As short as they can be told apart: the text "1" is not the number."""
    labels = [option(value) for value in options.values()]
    pairs = zip(labels, options.values(), strict=True)
    long = [label if labels.count(label) == 1 else shown(value) for label, value in pairs]
    return [escaped(label if len(label) <= LABEL else f"{label[: LABEL - 1]}…") for label in long]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
