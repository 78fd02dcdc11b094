"""Lineage of a population: who went on from whose state, and which way led to the best trial's value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from raytune_nn.report.figures.look import BEST, COLOURS, about, escaped, fate, framed, gapped, option, scatter
from raytune_nn.report.figures.points import Copy, Points
from raytune_nn.report.figures.reading import points
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go


class Step(NamedTuple):
    """A part of the way to the best value."""

    trial: int
    begin: int  # epochs
    end: int


def draw(study: Study) -> go.Figure | None:
    """None where nobody copied anybody."""
    import plotly.graph_objects as go

    read = points(study)
    if not read.copies:
        return None
    figure = go.Figure([_members(read), _arrows(read)])
    way = best_way(read)
    if way:
        figure.add_trace(_way(read, way))
    figure.add_traces([_copies(read), _ends(read)])
    count = len(read.trials)
    figure.update_layout(xaxis={"title": {"text": "epochs trained"}, "rangemode": "tozero"})
    ticks = {"tickmode": "linear", "dtick": 1} if count <= 30 else {}
    figure.update_layout(yaxis={"title": {"text": "trial"}, "range": [count - 0.4, -0.6], "zeroline": False, **ticks})
    return framed(figure, max(360, min(900, 160 + 22 * count)))


def best_way(read: Points) -> list[Step]:
    """How the weights behind the best value came about, the last part first; empty where no trial has a value."""
    best = read.record.best
    if best is None or best.value_epoch is None:
        return []
    place = next(place for place, trial in enumerate(read.trials) if trial is best)
    rows, end, way, before = int(read.value_row[place]), best.value_epoch, [], len(read.copies)
    while (number := _copy_of(read, place, rows, before)) is not None:
        copy = read.copies[number]
        way.append(Step(place, copy.epoch, end))
        place, rows, end, before = copy.source, copy.rows, copy.epoch, number
    return [*way, Step(place, 0, end)]


def _copy_of(read: Points, trial: int, rows: int, before: int) -> int | None:
    """The last time that a trial became a copy before a report, and before another copy was made."""
    numbers = (number for number in range(before - 1, -1, -1) if read.copies[number].trial == trial)
    return next((number for number in numbers if read.copies[number].rows <= rows), None)


def _members(read: Points) -> Any:
    """What each member trained, a line a piece."""
    spans = [(stage.trial, stage.begin, stage.end) for stage in read.stages]
    x = [at for _, begin, end in spans for at in (begin, end, None)]
    y = [at for trial, *_ in spans for at in (trial, trial, None)]
    line = {"color": COLOURS["stopped"], "width": 1.5}
    return scatter(
        len(read.stages), x=gapped(x), y=gapped(y), mode="lines", line=line, name="trained", hoverinfo="skip"
    )


def _arrows(read: Points) -> Any:
    """From the row of the source to that of the copy, at the epoch of the state."""
    x = [at for copy in read.copies for at in (copy.epoch, copy.epoch, None)]
    y = [at for copy in read.copies for at in (copy.source, copy.trial, None)]
    line = {"color": COLOURS["interrupted"], "width": 1, "dash": "dot"}
    return scatter(
        len(read.stages), x=gapped(x), y=gapped(y), mode="lines", line=line, name="source to copy", hoverinfo="skip"
    )


def _way(read: Points, way: list[Step]) -> Any:
    x: list[float] = []
    y: list[float] = []
    for step in reversed(way):
        x += [step.begin, step.end]
        y += [step.trial, step.trial]
    line = {"color": BEST, "width": 3.5}
    return scatter(len(read.stages), x=x, y=y, mode="lines", line=line, name="way to the best value", hoverinfo="skip")


def _copies(read: Points) -> Any:
    marker = {"color": COLOURS["interrupted"], "symbol": "diamond", "size": 9}
    content = {"x": [copy.epoch for copy in read.copies], "y": [copy.trial for copy in read.copies]}
    texts = [_about_copy(read, copy) for copy in read.copies]
    template = "%{text}<extra></extra>"
    return scatter(
        len(read.stages), **content, text=texts, mode="markers", marker=marker, name="copy", hovertemplate=template
    )


def _about_copy(read: Points, copy: Copy) -> str:
    trial, source = read.trials[copy.trial].id, read.trials[copy.source].id
    head = f"<b>trial {trial}</b>, after {copy.left} epochs, goes on from trial {source} at epoch {copy.epoch}"
    lines, origin = [], copy.origin
    for path, value in copy.params.items():
        if path in origin and origin[path] != value:
            change = f"{escaped(option(origin[path]))} → {escaped(option(value))}"
            lines.append(f"{escaped(path)}: {change} (its own was {escaped(option(copy.before.get(path)))})")
        else:
            lines.append(f"{escaped(path)} = {escaped(option(value))}")
    return "<br>".join([head, *lines])


def _ends(read: Points) -> Any:
    """Where each member stands, and how good its value is."""
    at = [place for place in range(len(read.trials)) if len(read.rows_of(place))]
    x = np.array([read.trials[place].epochs for place in at], np.int32)
    colours = [COLOURS[fate(read.trials[place], read.record)] for place in at]
    texts = [about(read.trials[place], read.record) for place in at]
    content = {"x": x, "y": np.array(at, np.int32), "text": texts, "marker": {"color": colours, "size": 8}}
    template = "%{text}<extra></extra>"
    return scatter(
        len(read.stages), **content, mode="markers", name="end, in the colour of its state", hovertemplate=template
    )
