"""A study's trials as those of Optuna, for its samplers, its plots and optuna-dashboard.

Parameters have the values that a trial was trained with. Options that Optuna takes for no categories (lists, mappings),
or cannot tell apart (1, 1.0 and true), stand as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from raytune_nn.config.objective import Objective
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice, QUniform
from raytune_nn.space.space import Space
from raytune_nn.space.to_optuna import distribution_of, parameter_names
from raytune_nn.space.values import identity
from raytune_nn.store.journal import Event
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

_STATES = {"complete": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "diverged": TrialState.FAIL}
_STATES["failed"] = TrialState.FAIL


@dataclass
class _Course:
    """What the journal knows of a trial's course, and its record does not."""

    suggested: float
    started: float | None = None
    ended: float | None = None
    values: dict[int, float] = field(default_factory=dict)  # of the first metric, by epoch; the last attempt counts


def optuna_trials(record: StudyRecord, events: Iterable[Event], space: Space) -> list[FrozenTrial]:
    """All trials in the order of suggestion, so that Optuna numbers them alike.

    A complete trial has its value, a stopped one is pruned and has the value of its last report, a diverged or failed
    one has failed; one that may still go on runs. Steps of intermediate values are epochs; with several objectives
    Optuna has none. User attributes say what Optuna has no place for: the trial's ``state`` and ``value`` here, its
    ``epochs``, ``seconds``, the ``cause`` of its end where there is one, and parameters outside of the space.
    """
    courses = _courses(events, record.objective)
    parameters = _Parameters(space)
    return [_frozen(trial, record, courses[trial.id], parameters) for trial in record.trials.values()]


def _courses(events: Iterable[Event], objective: Objective) -> dict[str, _Course]:
    courses: dict[str, _Course] = {}
    for event in events:
        kind = event["type"]
        if kind == "suggested":
            courses[event["trial"]] = _Course(event["time"])
        elif kind == "started":
            course = courses[event["trial"]]
            course.started = course.started or event["time"]
        elif kind == "reported":
            values = objective.values(event["metrics"])
            if values is not None:
                courses[event["trial"]].values[event["epoch"]] = values[0]
        elif kind == "ended":
            courses[event["trial"]].ended = event["time"]
    return courses


def _frozen(trial: TrialRecord, record: StudyRecord, course: _Course, parameters: _Parameters) -> FrozenTrial:
    waits = course.started is None and not trial.ended
    state = _STATES.get(trial.state, TrialState.WAITING if waits else TrialState.RUNNING)
    params, distributions, others = parameters.of(trial.value_params)
    attributes = {
        "trial": trial.id,
        "state": trial.state,
        "value": trial.value,
        "epochs": trial.epochs,
        "seconds": round(trial.seconds, 3),
        "cause": trial.reason or None,
    }
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=state,
        value=None,
        values=_values(trial, state, record, course),
        datetime_start=None if waits else _local(course.started or course.suggested),
        datetime_complete=_local(course.ended),
        params=params,
        distributions=distributions,
        user_attrs={**{key: value for key, value in attributes.items() if value is not None}, **others},
        system_attrs={},
        intermediate_values={} if record.objective.further else course.values,
    )


def _values(trial: TrialRecord, state: TrialState, record: StudyRecord, course: _Course) -> list[float] | None:
    values = record.values(trial)
    if state not in (TrialState.COMPLETE, TrialState.PRUNED) or values is None:
        return None
    if state is TrialState.PRUNED and not record.objective.further:
        return [course.values[max(course.values)]]
    return list(values)


def _local(seconds: float | None) -> datetime | None:
    """As Optuna keeps times: without a zone."""
    return None if seconds is None else datetime.fromtimestamp(seconds)


class _Parameters:
    """Those of a space, as Optuna's."""

    def __init__(self, space: Space) -> None:
        self._space, self._names = space, parameter_names(space)
        self._distributions = {name: _distribution(domain) for (_, domain), name in self._names.items()}

    def of(self, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, BaseDistribution], dict[str, Any]]:
        """The active ones: values and distributions by name; and those outside of the space, as attributes."""
        active = self._space.active(params)
        values: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for path, value in params.items():
            domain = active.get(path)
            if domain is None or not domain.contains(value):
                others[f"params.{path}"] = value
            else:
                values[self._names[path, domain]] = _shown(domain, value)
        return values, {name: self._distributions[name] for name in values}, others


def _distribution(domain: Domain) -> BaseDistribution:
    if isinstance(domain, Choice):
        return CategoricalDistribution(tuple(_categories(domain)))
    if isinstance(domain, QUniform):
        return FloatDistribution(domain.low, domain.corners()[-1], step=domain.q)
    return distribution_of(domain)


def _shown(domain: Domain, value: Any) -> Any:
    if isinstance(domain, Choice):
        return _categories(domain)[[identity(option) for option in domain.options].index(identity(value))]
    return value


def _categories(domain: Choice) -> list[Any]:
    """One a option, as Optuna keeps and compares them."""
    plain = [json.dumps(option) if isinstance(option, list | dict) else option for option in domain.options]
    told_apart = all(option not in plain[:number] for number, option in enumerate(plain))
    return plain if told_apart else [json.dumps(option) for option in domain.options]
