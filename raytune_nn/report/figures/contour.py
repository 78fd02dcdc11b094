"""Contour: the value over the two parameters that mattered most, between the trials and with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.report.figures.look import BEST, COLOURS, ValueAxis, about, escaped, framed, scale, scatter, single
from raytune_nn.report.figures.parallel import values_of
from raytune_nn.report.figures.parameters import Parameter, parameters, varied
from raytune_nn.report.figures.slices import GOLDEN
from raytune_nn.report.importance import important
from raytune_nn.report.study import Study
from raytune_nn.store.trial import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

STEPS = 40  # of the grid along a number
LEAST = 5  # trials with a value and both parameters
SPREAD = 0.3  # of the marks of an option, to each side
FAR = 10.0  # between options, where a number's whole range is 1: trials of another option are no neighbours


def draw(study: Study) -> go.Figure | None:
    """None where no two parameters are known to matter, or too few trials have both of them."""
    import plotly.graph_objects as go

    pair = _pair(study)
    if pair is None:
        return None
    x, y = pair
    record = study.record
    trials = [t for t in record.trials.values() if x.path in t.value_params and y.path in t.value_params]
    values = values_of(study, trials)[:, 0]
    params = [trial.value_params for trial in trials]
    at = np.stack([_scaled(x, x.positions(params)), _scaled(y, y.positions(params))], axis=1)
    known = np.isfinite(values) & np.isfinite(at).all(axis=1)
    if known.sum() < LEAST or any(np.unique(column[known]).size < 2 for column in at.T):
        return None
    of_all = values_of(study, list(record.trials.values()))[:, 0]  # a few trials do not tell which values are far off
    axis = ValueAxis.of(record.objective.goals[0], of_all)
    figure = go.Figure(_surface(x, y, at[known], values[known], axis, record.objective.maximise))
    for chosen, name in ((known, "trials"), (~known, "diverged or failed")):
        if chosen.any():
            figure.add_trace(_trials(study, x, y, [trials[place] for place in np.flatnonzero(chosen)], name))
    figure.update_layout(xaxis=x.layout, yaxis=y.layout)
    return framed(figure, 520, axis)


def _pair(study: Study) -> tuple[Parameter, Parameter] | None:
    """The two that matter most; a number, if one of them is, along x."""
    trials = [trial.value_params for trial in study.record.trials.values()]
    found = {parameter.path: parameter for parameter in parameters(study) if varied(parameter, trials)}
    most = [found[path] for path, *_ in important(study) if path in found][:2]
    if len(most) < 2:
        return None
    first, second = most
    return (second, first) if first.places is not None and second.places is None else (first, second)


def _scaled(parameter: Parameter, at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log10(at) if parameter.log else at


def _surface(
    x: Parameter, y: Parameter, at: NDArray[np.float64], values: NDArray[np.float64], axis: ValueAxis, maximise: bool
) -> Any:
    """The mean of the nearest trials, the nearer the more: level lines of two numbers, cells where one is an option."""
    import plotly.graph_objects as go
    from sklearn.neighbors import KNeighborsRegressor

    grids = [_grid(parameter, column) for parameter, column in zip((x, y), at.T, strict=True)]
    units = [_unit(x, grids[0]), _unit(y, grids[1])]
    shown = np.clip(np.log10(values) if axis.log else values, axis.low, axis.high)
    few = min(len(values), max(3, round(len(values) ** 0.5)), 15)
    model = KNeighborsRegressor(few, weights=lambda distances: 1 / (distances + 0.05)).fit(at * units, shown)
    mesh = np.stack([column.ravel() for column in np.meshgrid(*grids)], axis=1)
    z = single(model.predict(mesh * units).reshape(len(grids[1]), len(grids[0])))
    for place in _untried(x, at[:, 0]):
        z[:, place] = np.nan
    for place in _untried(y, at[:, 1]):
        z[place, :] = np.nan
    sides = [10.0**grid if parameter.log else grid for parameter, grid in zip((x, y), grids, strict=True)]
    bar = {"title": {"text": axis.title.partition(" (")[0]}, "thickness": 12}
    if axis.log:
        ticks = np.linspace(float(shown.min()), float(shown.max()), 5)
        bar |= {"tickvals": ticks.tolist(), "ticktext": [f"{10.0**tick:.3g}" for tick in ticks]}
    content = {"x": sides[0], "y": sides[1], "z": z, "colorbar": bar, "hoverinfo": "skip", "opacity": 0.75}
    content["colorscale"] = scale(maximise)
    if x.places is not None or y.places is not None:
        return go.Heatmap(**content)
    return go.Contour(**content, contours={"coloring": "heatmap"}, line={"width": 0.6})


def _unit(parameter: Parameter, grid: NDArray[np.float64]) -> float:
    """What makes distances along both axes comparable."""
    return FAR if parameter.places is not None else float(1 / np.ptp(grid))


def _grid(parameter: Parameter, at: NDArray[np.float64]) -> NDArray[np.float64]:
    if parameter.places is not None:
        return np.arange(len(parameter.options), dtype=np.float64)
    return np.linspace(at.min(), at.max(), STEPS)


def _untried(parameter: Parameter, at: NDArray[np.float64]) -> list[int]:
    """Options that no trial had."""
    return [] if parameter.places is None else sorted(set(range(len(parameter.options))) - set(at.astype(int).tolist()))


def _trials(study: Study, x: Parameter, y: Parameter, trials: list[TrialRecord], name: str) -> Any:
    record = study.record
    best = None if record.best is None else record.best.id
    params = [trial.value_params for trial in trials]
    spread = SPREAD * (2 * (np.arange(len(trials)) * GOLDEN % 1.0) - 1)
    sides = [p.positions(params) + (spread if p.places is not None else 0.0) for p in (x, y)]
    counted = name == "trials"
    marker = {
        "symbol": ["star" if trial.id == best else "circle" for trial in trials] if counted else "x",
        "size": [14 if trial.id == best else 6 for trial in trials] if counted else 8,
        "color": [BEST if trial.id == best else "#33415c" for trial in trials] if counted else COLOURS["diverged"],
        "line": {"width": 1, "color": "#f4f6fa"},
    }
    texts = [about(trial, record) for trial in trials]
    content = {"x": sides[0], "y": sides[1], "text": texts, "marker": marker, "name": escaped(name)}
    return scatter(len(trials), **content, mode="markers", hovertemplate="%{text}<extra></extra>")
