"""Slices: the value of each trial over each parameter, the most important parameter first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.report.figures.look import COLOURS, NO_VALUE, ValueAxis, escaped, fate, framed, option, scale, scatter
from raytune_nn.report.figures.parallel import values_of
from raytune_nn.report.figures.parameters import Parameter, parameters, varied
from raytune_nn.report.importance import important
from raytune_nn.report.study import Study
from raytune_nn.store.trial import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLUMNS, HEIGHT = 3, 260  # pixels of a row
SPREAD = 0.25  # of the marks of an option, to each side
GOLDEN = 0.618034  # its multiples, modulo 1, lie evenly whatever their number


def draw(study: Study) -> go.Figure | None:
    """None where trials do not differ in a parameter, or none has a value or has ended without one."""
    from plotly.subplots import make_subplots

    trials = list(study.record.trials.values())
    shown = [p for p in parameters(study) if varied(p, [trial.value_params for trial in trials])]
    if not shown or not any(trial.value is not None or trial.state in NO_VALUE for trial in trials):
        return None
    rank = {path: number for number, (path, *_) in enumerate(important(study))}
    shown.sort(key=lambda parameter: rank.get(parameter.path, len(rank)))
    values = values_of(study, trials)[:, 0]
    axis = ValueAxis.of(study.record.objective.goals[0], values)
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    gap = {"horizontal_spacing": 0.04, "vertical_spacing": 0.34 / rows}
    figure = make_subplots(rows=rows, cols=columns, shared_yaxes=True, specs=cells(len(shown), columns), **gap)
    for number, parameter in enumerate(shown):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        for trace in _traces(study, parameter, trials, values, axis, number == 0, len(shown)):
            figure.add_trace(trace, **place)
        figure.update_xaxes(parameter.layout, **place)
        figure.update_yaxes({**axis.layout, **({} if place["col"] == 1 else {"title": None})}, **place)
    epochs = [trial.epochs for trial in trials]
    colours = {"colorscale": scale(True), "cmin": 0, "cmax": max(epochs), "showscale": min(epochs) < max(epochs)}
    figure.update_layout(coloraxis=colours | {"colorbar": {"title": {"text": "epochs"}, "thickness": 12}})
    return framed(figure, 120 + HEIGHT * rows, axis)


def cells(count: int, columns: int) -> list[list[dict[str, Any] | None]]:
    """So many fields for ``make_subplots``, row by row; what is left of the last row stays empty."""
    return [[{} if at + column < count else None for column in range(columns)] for at in range(0, count, columns)]


def _traces(
    study: Study,
    parameter: Parameter,
    trials: list[TrialRecord],
    values: NDArray[np.float64],
    axis: ValueAxis,
    first: bool,
    slices: int,
) -> list[Any]:
    """The trials that have a value, coloured by their epochs, and those that have none, at the edge."""
    at = parameter.positions([trial.value_params for trial in trials])
    if parameter.places is not None:
        at = at + SPREAD * (2 * (np.arange(len(trials)) * GOLDEN % 1.0) - 1)
    counted = np.isfinite(at) & np.isfinite(values)
    ended = np.array([trial.state in NO_VALUE for trial in trials])
    lost = np.isfinite(at) & ~np.isfinite(values) & ended
    epochs = np.array([trial.epochs for trial in trials], np.int32)
    traces = []
    for chosen, name in ((counted, "trials"), (lost, "diverged or failed")):
        if not chosen.any():
            continue
        y = axis.placed(values[chosen])
        texts = [_about(study, trials[place], parameter) for place in np.flatnonzero(chosen)]
        marker: dict[str, Any] = {"size": 6, "opacity": 0.8, "coloraxis": "coloraxis", "color": epochs[chosen]}
        if name != "trials":
            marker = {"size": 8, "symbol": "x", "color": COLOURS["diverged"]}
        content = {"x": at[chosen], "y": y, "text": texts, "marker": marker, "name": name, "legendgroup": name}
        content |= {"mode": "markers", "showlegend": first and name != "trials"}
        traces.append(scatter(len(trials) * slices, **content, hovertemplate="%{text}<extra></extra>"))
    return traces


def _about(study: Study, trial: TrialRecord, parameter: Parameter) -> str:
    value = "no value" if trial.value is None else f"{trial.value:.6g} at epoch {trial.value_epoch}"
    head = f"trial {trial.id} · {fate(trial, study.record)} · {escaped(study.record.objective.metric)} = {value}"
    return f"{head}<br>{escaped(parameter.path)} = {escaped(option(trial.value_params[parameter.path]))}"
