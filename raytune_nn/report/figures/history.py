"""Optimisation history: each trial's value when it was reached, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raytune_nn.report.figures.look import BEST, COLOURS, ValueAxis, about, fate, framed, menu, scatter, time_unit
from raytune_nn.report.figures.points import Points
from raytune_nn.report.figures.reading import points
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go


class Clock(NamedTuple):
    """What is counted along the x axis."""

    button: str
    title: str
    counts: NDArray[np.float64]  # shape (reports + 1,): before the first, and after each


def draw(study: Study) -> go.Figure | None:
    """None where no trial has reported or ended."""
    import plotly.graph_objects as go

    read = points(study)
    have, without = _with_value(read), _without(read)
    if not have and not without:
        return None
    axis = ValueAxis.of(read.record.objective.goals[0], read.values[read.value_row[have], 0])
    clocks = _clocks(study, read)
    figure = go.Figure()
    counts = [_add(figure, study, read, clock, axis, shown=number == 0) for number, clock in enumerate(clocks)]
    figure.update_layout(xaxis={"title": {"text": clocks[0].title}, "rangemode": "tozero"}, yaxis=axis.layout)
    figure.update_layout(updatemenus=[_menu(clocks, counts)])
    return framed(figure, 460, axis, top=60)


def running_best(read: Points) -> NDArray[np.int64]:
    """The reports that were the best so far when they came.

    Those of trials that failed or diverged do not count, nor is a mean of a few folds compared with that of all.
    """
    objective = read.record.objective
    rows = read.value_row[[place for place in _with_value(read) if read.record.has_all_folds(read.trials[place])]]
    if objective.folds is None and objective.take.value == "best" and rows.size:
        finals = np.full(len(read.trials), np.nan)
        finals[read.trial[rows]] = read.values[rows, 0]
        theirs, ours = finals[read.trial], read.values[:, 0]
        # What was trained once more after a failure counts as it came out then.
        rows = np.flatnonzero(ours <= theirs if objective.maximise else ours >= theirs)
    rows = np.sort(rows)
    scores = read.values[rows, 0] * (1.0 if objective.maximise else -1.0)
    best = np.maximum.accumulate(scores)
    return rows[np.diff(best, prepend=-np.inf) > 0]


def _with_value(read: Points) -> list[int]:
    """Trials whose value counts, or may yet."""
    return [
        place
        for place, row in enumerate(read.value_row)
        if row >= 0 and read.trials[place].state != "failed" and np.isfinite(read.values[row, 0])
    ]


def _without(read: Points) -> dict[str, list[int]]:
    """Places in the marks of trials that ended without a value that counts."""
    ends: dict[int, int] = {}
    for number, mark in enumerate(read.marks):
        if mark.kind == read.trials[mark.trial].state:
            ends[mark.trial] = number
    lost: dict[str, list[int]] = {}
    have = set(_with_value(read))
    for place, number in ends.items():
        if place not in have:
            lost.setdefault(read.marks[number].kind, []).append(number)
    return lost


def _clocks(study: Study, read: Points) -> list[Clock]:
    def counted(column: NDArray[Any]) -> NDArray[np.float64]:
        return np.concatenate(([0.0], column))

    unit, name = time_unit(float(read.wall.max(initial=0.0)))
    clocks = [
        Clock("time", f"time while a driver ran ({name})", counted(read.wall) / unit),
        Clock("epochs", "epochs trained by all trials", counted(read.epochs)),
    ]
    resources = None if study.settings is None else study.settings.resources
    gpus = 0.0 if resources is None else resources.gpus * resources.workers
    shared = read.busy - read.alone
    busy = counted(shared * gpus + read.alone if gpus else read.busy)
    unit, name = time_unit(float(busy.max(initial=0.0)))
    what = f"cost (GPU-{name})" if gpus else f"cost (training time of all trials, {name})"
    return [*clocks, Clock("cost", what, busy / unit)]


def _add(figure: go.Figure, study: Study, read: Points, clock: Clock, axis: ValueAxis, shown: bool) -> int:
    """The traces of one x axis; returns how many."""
    before, record = len(figure.data), read.record
    places: dict[str, list[int]] = {}
    for place in _with_value(read):
        places.setdefault(fate(read.trials[place], record), []).append(place)
    for state, of_state in places.items():
        rows = read.value_row[of_state]
        texts = [about(read.trials[place], record) for place in of_state]
        figure.add_trace(_marks(read, clock.counts[rows + 1], read.values[rows, 0], texts, state, shown))
    for state, numbers in _without(read).items():
        marks = [read.marks[number] for number in numbers]
        texts = [about(read.trials[mark.trial], record) for mark in marks]
        x = clock.counts[[mark.rows for mark in marks]]
        figure.add_trace(_marks(read, x, np.full(len(marks), axis.edge), texts, state, shown, "x"))
    figure.add_trace(_best_line(read, clock, shown))
    for reports in read.resumptions:
        at = float(clock.counts[reports])
        line = {"dash": "dot", "width": 1, "color": COLOURS["interrupted"]}
        trace = scatter(
            len(read.trials), x=[at, at], y=axis.ends, mode="lines", line=line, visible=shown, showlegend=False
        )
        figure.add_trace(trace.update(hovertemplate="another command went on here<extra></extra>"))
    return len(figure.data) - before


def _marks(
    read: Points,
    x: NDArray[Any],
    y: NDArray[Any],
    texts: list[str],
    state: str,
    shown: bool,
    symbol: str = "circle",
) -> Any:
    marker = {"color": COLOURS[state], "symbol": symbol, "size": 7, "opacity": 0.75}
    content = {"x": x, "y": y, "text": texts, "mode": "markers", "marker": marker, "name": state, "visible": shown}
    return scatter(len(read.trials), **content, hovertemplate="%{text}<extra></extra>")


def _best_line(read: Points, clock: Clock, shown: bool) -> Any:
    rows = running_best(read)
    x, y = clock.counts[rows + 1], read.values[rows, 0]
    if rows.size:  # it stays the best to the end
        x, y = np.append(x, clock.counts[-1]), np.append(y, y[-1])
    texts = [f"trial {read.trials[read.trial[row]].id} at epoch {read.epoch[row]}" for row in rows]
    texts += texts[-1:]
    line = {"color": BEST, "shape": "hv", "width": 2.5}
    template = "best so far: %{y:.6g}<br>%{text}<extra></extra>"
    return scatter(
        len(read.trials),
        x=x,
        y=y,
        text=texts,
        mode="lines",
        line=line,
        name="best so far",
        visible=shown,
        hovertemplate=template,
    )


def _menu(clocks: list[Clock], counts: list[int]) -> dict[str, Any]:
    """Buttons that switch the x axis."""
    buttons = []
    for number, clock in enumerate(clocks):
        visible = [other == number for other, count in enumerate(counts) for _ in range(count)]
        changes = {"xaxis.title.text": clock.title, "xaxis.autorange": True}
        buttons.append({"label": clock.button, "method": "update", "args": [{"visible": visible}, changes]})
    return menu(buttons)
