"""Learning curves: what each trial reported epoch by epoch, and where it was stopped, paused, promoted or lost."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.report.figures.look import BEST, COLOURS, ValueAxis, about, escaped, fate, framed, menu, scatter, single
from raytune_nn.report.figures.points import Mark, Points
from raytune_nn.report.figures.reading import points
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST = 100_000  # points drawn; of more, each trial keeps its first, last, best and some between
DOTTED = 5_000  # up to so many points each is a dot
SYMBOLS = {
    "complete": ("circle", COLOURS["complete"]),
    "stopped": ("square", COLOURS["stopped"]),
    "paused": ("circle-open", COLOURS["paused"]),
    "promoted": ("triangle-up", COLOURS["complete"]),
    "went on": ("circle-open", COLOURS["stopped"]),
    "changed": ("diamond", COLOURS["interrupted"]),
    "copied": ("diamond", COLOURS["interrupted"]),
    "tried again": ("cross", COLOURS["paused"]),
    "fell back": ("cross", COLOURS["failed"]),
    "diverged": ("x", COLOURS["diverged"]),
    "failed": ("x", COLOURS["failed"]),
}


def draw(study: Study) -> go.Figure | None:
    """None where no trial has reported or ended."""
    import plotly.graph_objects as go

    read = points(study)
    if not len(read.trial) and not read.marks:
        return None
    figure, goals = go.Figure(), read.record.objective.goals
    axes = [ValueAxis.of(goal, read.values[:, number]) for number, goal in enumerate(goals)]
    counts = []
    for number, axis in enumerate(axes):
        before = len(figure.data)
        figure.add_traces(_lines(read, number, shown=number == 0))
        figure.add_traces(_all_marks(read, number, axis, shown=number == 0))
        counts.append(len(figure.data) - before)
    folds = read.record.objective.folds
    title = "epochs trained" if folds is None else f"epochs trained in {folds} folds; values are means of those done"
    figure.update_layout(xaxis={"title": {"text": title}, "rangemode": "tozero"}, yaxis=axes[0].layout)
    if len(goals) > 1:
        figure.update_layout(updatemenus=[_menu(axes, [goal.metric for goal in goals], counts)])
    return framed(figure, 520, axes[0], top=60 if len(goals) > 1 else 30)


def thinned(read: Points, place: int, most: int, number: int) -> NDArray[np.int64]:
    """Of a trial's reports so many, or a few more: the first, the last, the best, and those beside a gap stay."""
    rows = read.rows_of(place)
    if len(rows) <= most:
        return rows
    values = read.values[rows, number]
    maximise = read.record.objective.goals[number].maximise
    best = np.argmax(np.where(np.isfinite(values), values if maximise else -values, -np.inf))
    gaps = np.flatnonzero(read.begins[rows])
    even = np.linspace(0, len(rows) - 1, most).round().astype(np.int64)
    kept = [even, np.array([best]), gaps, gaps[1:] - 1, np.flatnonzero(~np.isfinite(values))]
    chosen: NDArray[np.int64] = rows[np.unique(np.concatenate(kept))]
    return chosen


def _lines(read: Points, number: int, shown: bool) -> list[Any]:
    """One trace a fate, and the best trial's on top."""
    record = read.record
    best = record.best.id if record.best is not None else None
    groups: dict[str, list[int]] = {}
    for place, trial in enumerate(read.trials):
        if len(read.rows_of(place)):
            groups.setdefault("best" if trial.id == best else fate(trial, record), []).append(place)
    ordered = sorted(groups, key=lambda name: name == "best")
    return [_line(read, groups[name], name, number, shown) for name in ordered]


def _line(read: Points, places: list[int], name: str, number: int, shown: bool) -> Any:
    """All curves of a group as one, with gaps between them."""
    most = max(2, MOST // max(1, len(read.trials)))
    rows = np.concatenate([thinned(read, place, most, number) for place in places])
    starts = np.flatnonzero(read.begins[rows])
    y = np.insert(single(read.values[rows, number]), starts, np.nan)[1:]
    x = np.insert(read.epoch[rows], starts, read.epoch[rows[starts]])[1:]
    ids = read.ids[np.insert(read.trial[rows], starts, read.trial[rows[starts]])[1:]]
    is_best = name == "best"
    line = {"color": BEST if is_best else COLOURS[name], "width": 2.5 if is_best else 1.0}
    content = {"x": x, "y": y, "customdata": ids, "line": line, "name": _named(read, name)}
    few = len(read.trial) <= DOTTED
    mode = {"mode": "lines+markers", "marker": {"size": 5 if is_best else 4}} if few else {"mode": "lines"}
    opacity = 1.0 if is_best else max(0.25, min(0.9, 30 / len(read.trials)))
    metric = escaped(read.record.objective.goals[number].metric)
    template = f"trial %{{customdata}}: {metric} %{{y:.6g}} at epoch %{{x}}<extra></extra>"
    legend = {"legendgroup": name, "showlegend": name not in {mark.kind for mark in read.marks}}
    return scatter(len(read.trial), **content, **mode, **legend, opacity=opacity, hovertemplate=template, visible=shown)


def _named(read: Points, name: str) -> str:
    return f"best: trial {read.record.best.id}" if name == "best" and read.record.best is not None else name


def _all_marks(read: Points, number: int, axis: ValueAxis, shown: bool) -> list[Any]:
    """One trace a kind, in the order of the legend."""
    kinds: dict[str, list[Mark]] = {}
    for mark in read.marks:
        kinds.setdefault(mark.kind, []).append(mark)
    return [_marks(read, kinds[kind], number, axis, shown) for kind in SYMBOLS if kind in kinds]


def _marks(read: Points, marks: list[Mark], number: int, axis: ValueAxis, shown: bool) -> Any:
    """At the last finite value before each; at the worse edge where there is none."""
    kind = marks[0].kind
    symbol, colour = SYMBOLS[kind]
    y = np.array([_last_value(read, mark, number) for mark in marks])
    texts = [_about(read, mark) for mark in marks]
    faint = kind in ("stopped", "complete", "paused", "went on") and len(marks) > 50
    marker = {"symbol": symbol, "color": colour, "size": 9 if symbol == "x" else 7, "opacity": 0.6 if faint else 0.95}
    x = np.array([mark.epoch for mark in marks], np.int32)
    content = {"x": x, "y": single(axis.placed(y)), "text": texts, "marker": marker, "visible": shown}
    return scatter(
        len(read.trial), **content, mode="markers", name=kind, legendgroup=kind, hovertemplate="%{text}<extra></extra>"
    )


def _last_value(read: Points, mark: Mark, number: int) -> float:
    rows = read.rows_of(mark.trial)
    before = read.values[rows[: bisect_left(rows, mark.rows)], number]
    known = np.flatnonzero(np.isfinite(before))
    return float(before[known[-1]]) if known.size else float("nan")


def _about(read: Points, mark: Mark) -> str:
    trial = read.trials[mark.trial]
    why = f": {escaped(mark.reason)}" if mark.reason and mark.reason != trial.reason else ""
    return f"{mark.kind} at epoch {mark.epoch}{why}<br>{about(trial, read.record)}"


def _menu(axes: list[ValueAxis], metrics: list[str], counts: list[int]) -> dict[str, Any]:
    """Buttons that switch the metric."""
    buttons = []
    for number, axis in enumerate(axes):
        visible = [other == number for other, count in enumerate(counts) for _ in range(count)]
        changes = {"yaxis.title.text": axis.title, "yaxis.range": [axis.low, axis.high]}
        changes["yaxis.type"] = "log" if axis.log else "linear"
        buttons.append({"label": escaped(metrics[number]), "method": "update", "args": [{"visible": visible}, changes]})
    return menu(buttons)
