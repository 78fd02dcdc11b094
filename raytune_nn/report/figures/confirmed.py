"""Means over seeds with their intervals: what mode=confirm compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raytune_nn.report.figures.look import BEST, COLOURS, escaped, framed
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

PROMISED = "in the study"


def draw(study: Study) -> go.Figure | None:
    """None where the study was not confirmed."""
    import plotly.graph_objects as go

    event = study.record.confirmed
    if not event:
        return None
    shown = [each for each in event["candidates"] if each["mean"] is not None]
    figure = go.Figure()
    seeds = [(_name(each), value) for each in shown for value in each["values"] if value is not None]
    marker: dict[str, Any] = {"color": COLOURS["stopped"], "size": 6, "opacity": 0.6}
    figure.add_trace(_points("a training", seeds, marker))
    marker = {"color": COLOURS["stopped"], "size": 9, "symbol": "line-ns-open"}
    figure.add_trace(_points(f"{event['of']} {PROMISED}", [(_name(each), each["promised"]) for each in shown], marker))
    for name, colour, those in _groups(shown, event["recommended"]):
        spread = [each["mean"] - (each["mean"] if each["low"] is None else each["low"]) for each in those]
        points = _points(name, [(_name(each), each["mean"]) for each in those], {"color": colour, "size": 11})
        points.update(error_x={"type": "data", "array": spread, "thickness": 2, "color": colour})
        figure.add_trace(points)
    order = [_name(each) for each in shown]
    better = "higher" if event["maximise"] else "lower"
    figure.update_layout(
        xaxis={"title": {"text": f"{escaped(event['metric'])} ({better} is better)"}},
        yaxis={"categoryorder": "array", "categoryarray": order, "autorange": "reversed", "automargin": True},
    )
    return framed(figure, 170 + 34 * len(shown))


def _groups(shown: list[dict[str, Any]], recommended: str) -> list[tuple[str, str, list[dict[str, Any]]]]:
    chosen = [each for each in shown if each["trial"] == recommended]
    tied = [each for each in shown if each["tied"] and each not in chosen]
    others = [each for each in shown if each not in chosen and each not in tied]
    groups = [
        ("recommended", BEST, chosen),
        ("tied with the best", COLOURS["complete"], tied),
        ("told from the best", COLOURS["interrupted"], others),
    ]
    return [group for group in groups if group[2]]


def _name(candidate: dict[str, Any]) -> str:
    return f"trial {escaped(candidate['trial'])}"


def _points(name: str, pairs: list[tuple[str, float]], marker: dict[str, Any]) -> go.Scatter:
    import plotly.graph_objects as go

    names, values = [list(column) for column in zip(*pairs, strict=True)] if pairs else ([], [])
    hover = "%{y}: %{x:.5g}<extra>" + escaped(name) + "</extra>"
    return go.Scatter(x=values, y=names, mode="markers", name=escaped(name), marker=marker, hovertemplate=hover)
