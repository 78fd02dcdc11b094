"""Pareto front: what trials reached by several metrics, those that another one beats by all of them faint."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.config.objective import Goal
from raytune_nn.report.figures.look import BEST, COLOURS, NO_VALUE, ValueAxis, about, framed, scatter
from raytune_nn.report.figures.parallel import values_of
from raytune_nn.report.figures.slices import cells
from raytune_nn.report.study import Study
from raytune_nn.store.trial import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLUMNS, HEIGHT = 2, 430


def draw(study: Study) -> go.Figure | None:
    """Each pair of metrics; None where there is but one, or no trial has a value."""
    from plotly.subplots import make_subplots

    goals = study.record.objective.goals
    trials = list(study.record.trials.values())
    values = values_of(study, trials)
    if len(goals) < 2 or not np.isfinite(values).any():
        return None
    front = {trial.id for trial in study.record.front}
    on_front = np.array([trial.id in front for trial in trials])
    pairs = list(combinations(range(len(goals)), 2))
    columns = min(COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    gap = {"horizontal_spacing": 0.1, "vertical_spacing": 0.28 / rows}
    figure = make_subplots(rows=rows, cols=columns, specs=cells(len(pairs), columns), **gap)
    axes = [ValueAxis.of(goal, values[:, number]) for number, goal in enumerate(goals)]
    for number, (first, second) in enumerate(pairs):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        two = [axes[first], axes[second]]
        for trace in _traces(study, trials, values[:, [first, second]], on_front, two, number == 0):
            figure.add_trace(trace, **place)
        if len(goals) == 2:
            figure.add_trace(_line(values[on_front], goals, len(trials)), **place)
        figure.update_xaxes(axes[first].layout, **place)
        figure.update_yaxes(axes[second].layout, **place)
    return framed(figure, 60 + HEIGHT * rows)


def _traces(
    study: Study,
    trials: list[TrialRecord],
    values: NDArray[np.float64],
    on_front: NDArray[np.bool_],
    axes: list[ValueAxis],
    first: bool,
) -> list[Any]:
    """Trials with values, and in the worse corner those that have none."""
    known = np.isfinite(values).all(axis=1)
    ended = np.array([trial.state in NO_VALUE for trial in trials])
    groups = {
        "dominated, or still running": (known & ~on_front, {"color": COLOURS["stopped"], "size": 6, "opacity": 0.5}),
        "diverged or failed": (~known & ended, {"color": COLOURS["diverged"], "size": 8, "symbol": "x"}),
        "Pareto front": (known & on_front, {"color": BEST, "size": 10, "opacity": 1.0}),
    }
    traces = []
    for name, (chosen, marker) in groups.items():
        if not chosen.any():
            continue
        texts = [about(trials[place], study.record) for place in np.flatnonzero(chosen)]
        x, y = (axis.placed(values[chosen, number]) for number, axis in enumerate(axes))
        content = {"x": x, "y": y, "text": texts, "marker": marker, "name": name, "legendgroup": name}
        template = "%{text}<extra></extra>"
        traces.append(scatter(len(trials), **content, mode="markers", showlegend=first, hovertemplate=template))
    return traces


def _line(front: NDArray[np.float64], goals: tuple[Goal, ...], trials: int) -> Any:
    """What is dominated lies on the worse side of these steps."""
    ranked = front[np.argsort(front[:, 0])]
    # A value between two neighbours is reached with the second metric of the better one by the first.
    shape = "vh" if goals[0].maximise else "hv"
    line = {"color": BEST, "width": 1.5, "shape": shape}
    content = {"x": ranked[:, 0], "y": ranked[:, 1], "line": line, "hoverinfo": "skip"}
    return scatter(trials, **content, mode="lines", showlegend=False)
