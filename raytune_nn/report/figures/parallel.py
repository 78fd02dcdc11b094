"""Parallel coordinates: each trial is a line across all parameters to its value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.config.objective import Goal
from raytune_nn.report.figures.look import NO_VALUE, ValueAxis, escaped, scale, single
from raytune_nn.report.figures.parameters import Parameter, parameters, varied
from raytune_nn.report.importance import important
from raytune_nn.report.study import Study
from raytune_nn.store.trial import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 10  # parameters side by side; of more, the most important
FEW = 5  # values of a number, each of which is named at its axis
MISSING = "—"  # at an axis: the trial does not have it


def draw(study: Study) -> go.Figure | None:
    """None where trials do not differ in a parameter, or none has a value or has ended without one."""
    import plotly.graph_objects as go

    trials = list(study.record.trials.values())
    params = [trial.value_params for trial in trials]
    shown = most_important(study, [p for p in parameters(study) if varied(p, params) or p.conditional])
    told = any(trial.value is not None or trial.state in NO_VALUE for trial in trials)
    if not shown or len(trials) < 2 or not told:
        return None
    goals = study.record.objective.goals
    values = values_of(study, trials)
    first = ValueAxis.of(goals[0], values[:, 0])
    dimensions = [_parameter(parameter, parameter.positions(params)) for parameter in shown]
    dimensions += [_metric(goal, values[:, number]) for number, goal in enumerate(goals)]
    low, high = first.low, first.high
    known = np.log10(values[:, 0]) if first.log else values[:, 0]
    edge = math.log10(first.edge) if first.log else first.edge
    colours = np.clip(np.where(np.isfinite(known), known, edge), low, high)
    line = {
        "color": single(colours),
        "colorscale": scale(goals[0].maximise),
        "cmin": low,
        "cmax": high,
    }
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, labelangle=-20, labelside="top"))
    figure.update_layout(height=440, margin={"t": 90, "l": 70, "r": 60, "b": 30})
    return figure


def values_of(study: Study, trials: Sequence[TrialRecord]) -> NDArray[np.float64]:
    """Shape (trials, metrics); NaN for a trial whose value does not count."""
    rows = []
    for trial in trials:
        values = None if trial.state == "failed" else study.record.values(trial)
        rows.append([math.nan] * len(study.record.objective.goals) if values is None else list(values))
    return np.where(np.isfinite(rows), rows, np.nan)


def most_important(study: Study, shown: Sequence[Parameter]) -> list[Parameter]:
    """Of many parameters those that matter most, in their order."""
    rank = {path: number for number, (path, *_) in enumerate(important(study))}
    kept = {parameter.path for parameter in sorted(shown, key=lambda p: rank.get(p.path, len(rank)))[:MOST]}
    return [parameter for parameter in shown if parameter.path in kept]


def _parameter(parameter: Parameter, at: NDArray[np.float64]) -> dict[str, Any]:
    """The axis of a parameter; a trial that lacks it stands below the others."""
    dimension: dict[str, Any] = {"label": escaped(parameter.name)}
    if parameter.places is not None:
        ticks = dict(zip(range(len(parameter.options)), parameter.options, strict=True))
        return {**dimension, **_with_missing(at, {float(place): label for place, label in ticks.items()}, 1.0)}
    scaled = np.log10(at) if parameter.log else at
    return {**dimension, **_with_missing(scaled, _ticks(scaled, parameter.log), None)}


def _metric(goal: Goal, values: NDArray[np.float64]) -> dict[str, Any]:
    """The axis of a metric; what has no value stands at the worse end."""
    axis = ValueAxis.of(goal, values)
    scaled = np.log10(values) if axis.log else values
    edge = math.log10(axis.edge) if axis.log else axis.edge
    ticks = _ticks(np.clip(scaled, axis.low, axis.high), axis.log)
    missing = {edge: "no value"} if np.isnan(values).any() else {}
    ticks = {**{at: label for at, label in ticks.items() if abs(at - edge) > 0.05 * (axis.high - axis.low)}, **missing}
    at = single(np.clip(np.where(np.isfinite(scaled), scaled, edge), axis.low, axis.high))
    bounds = single(np.array([axis.low, axis.high])).tolist()
    content = {"tickvals": list(ticks), "ticktext": list(ticks.values()), "range": bounds}
    return {"label": f"<b>{escaped(goal.metric)}</b>", "values": at, **content}


def _with_missing(at: NDArray[np.float64], ticks: dict[float, str], step: float | None) -> dict[str, Any]:
    known = at[np.isfinite(at)]
    low, high = (min(ticks), max(ticks)) if step else (known.min(), known.max())
    if np.isnan(at).any():
        low = low - (step or 0.12 * (high - low) or 1.0)
        at, ticks = np.where(np.isfinite(at), at, low), {float(low): MISSING, **ticks}
    if low == high:
        low, high = low - 0.5, high + 0.5
    bounds = single(np.array([low, high])).tolist()  # in the precision of the values
    content = {"tickvals": list(ticks), "ticktext": list(ticks.values()), "range": bounds}
    return {"values": single(at), **content}


def _ticks(scaled: NDArray[np.float64], log: bool) -> dict[float, str]:
    """A few values, or both ends and three places between them; on a logarithmic axis they are powers."""
    known = np.unique(scaled[np.isfinite(scaled)])
    places = known if len(known) <= FEW else np.linspace(known[0], known[-1], 5)
    return {float(place): f"{10.0**place if log else place:.3g}" for place in places}
