"""What all figures have in common: colours, hover texts, and the axes of values and of time.

Backgrounds and fonts are the page's. Colours stand on light and dark ones.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytune_nn.config.objective import Goal
from raytune_nn.report.tables import format_value, named_results
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

if TYPE_CHECKING:
    import plotly.graph_objects as go

BEST = "#f28c28"
COLOURS = {  # of a trial, by what became of it
    "complete": "#2a9d8f",
    "stopped": "#8a94a6",
    "paused": "#c9a227",
    "running": "#4c8bf5",
    "waiting": "#4c8bf5",
    "interrupted": "#7f6bb3",
    "diverged": "#e76f51",
    "failed": "#d62839",
}
SCALE = ((0.0, "#a9b4c2"), (0.5, "#4c8bf5"), (1.0, "#e4572e"))  # faint: worse, or fewer epochs
NO_VALUE = ("diverged", "failed")
SHOWN_PARAMS, SHOWN_CHARACTERS = 12, 200
MOST = 3e38  # that single precision can hold
MANY = 3_000  # marks, from which on WebGL draws them: a browser has but a few places for it


def scale(maximise: bool) -> list[tuple[float, str]]:
    """Of a metric's values: the best are red, whether they are high or low."""
    return list(SCALE) if maximise else [(1 - at, colour) for at, colour in reversed(SCALE)]


def fate(trial: TrialRecord, record: StudyRecord) -> str:
    """A trial's state; one that waits or runs in a study that does neither was interrupted."""
    known = trial.ended or trial.state == "paused" or record.status == "running"
    return trial.state if known else "interrupted"


def escaped(text: object) -> str:
    """A text as it stands, where plotly reads a kind of HTML."""
    short = str(text)
    short = short if len(short) <= SHOWN_CHARACTERS else f"{short[:SHOWN_CHARACTERS]}…"
    return html.escape(short, quote=False).replace("\n", " ")


def option(value: object) -> str:
    """A parameter's value in a few characters: texts as they stand, numbers short, the rest as JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return json.dumps(value, ensure_ascii=False)
    return format_value(value)


def listed(params: Mapping[str, Any]) -> str:
    """Parameters for a hover text, a line each."""
    lines = [f"{escaped(path)} = {escaped(option(value))}" for path, value in [*params.items()][:SHOWN_PARAMS]]
    more = len(params) - SHOWN_PARAMS
    return "<br>".join([*lines, *([f"… and {more} more"] if more > 0 else [])])


def about(trial: TrialRecord, record: StudyRecord) -> str:
    """A trial's hover text: state, value, epoch, why it ended, parameters."""
    lines = [f"<b>trial {escaped(trial.id)}</b> · {fate(trial, record)} · {trial.epochs} epochs"]
    if trial.value is not None and record.values(trial) is not None:
        lines.append(f"{escaped(named_results(trial, record))} at epoch {trial.value_epoch}")
    lines += [escaped(trial.reason)] if trial.reason else []
    lines += [listed(trial.value_params)] if trial.value_params else []
    return "<br>".join(lines)


@dataclass(frozen=True)
class ValueAxis:
    """The axis of a metric, and where on it stands what has no value."""

    title: str
    note: str  # what the figure cannot show; empty: nothing
    log: bool
    low: float
    high: float
    edge: float  # on the worse side, just inside

    @classmethod
    def of(cls, goal: Goal, values: NDArray[np.float64]) -> ValueAxis:
        """Fits all but very bad values: a loss that explodes must not press the others into a line."""
        shown = np.clip(values[np.isfinite(values)], -1e300, 1e300)  # so that no difference overflows
        better = "higher" if goal.maximise else "lower"
        title = f"{escaped(goal.metric)} ({better} is better)"
        if not shown.size:
            return cls(title, "no trial has a finite value", False, -1.0, 1.0, 0.0)
        log = bool(not goal.maximise and shown.min() > 0 and shown.max() > 100 * np.median(shown))
        scaled = (np.log10(shown) if log else shown) * (1.0 if goal.maximise else -1.0)  # higher is better
        worst, best = _worst_shown(scaled), float(scaled.max())
        beyond = int((scaled < worst).sum())
        side = "below" if goal.maximise else "above"
        note = f"{beyond} further {side}: double-click shows all" if beyond else ""
        span = (best - worst) or abs(best) * 0.1 or 1.0
        ends = [worst - 0.09 * span, best + 0.05 * span, worst - 0.06 * span]
        low, high, edge = (end if goal.maximise else -end for end in ends)
        low, high = min(low, high), max(low, high)
        return cls(title, note, log, low, high, 10.0**edge if log else edge)

    @property
    def layout(self) -> dict[str, Any]:
        """As plotly wants it."""
        kind = log_axis(self.high - self.low) if self.log else {}
        return {"title": {"text": self.title}, "range": [self.low, self.high], **kind}

    @property
    def ends(self) -> list[float]:
        """Lowest and highest value shown."""
        return [10.0**end if self.log else end for end in (self.low, self.high)]

    def placed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values, and the edge for those that are none."""
        return np.where(np.isfinite(values), values, self.edge)


def _worst_shown(scaled: NDArray[np.float64]) -> float:
    """The least of these, or where that is far from most of them, a point some way below most."""
    low, best, worst = float(np.quantile(scaled, 0.05)), float(scaled.max()), float(scaled.min())
    wide = best - low
    return worst if wide == 0 or best - worst <= 5 * wide else low - 0.5 * wide


def log_axis(decades: float) -> dict[str, Any]:
    """A logarithmic axis with ticks that have room."""
    return {"type": "log", "dtick": 1 if decades > 2 else "D2", "exponentformat": "e"}


def time_unit(longest: float) -> tuple[float, str]:
    """Seconds in a unit that suits a duration, and its name."""
    return (1.0, "s") if longest < 180 else (60.0, "min") if longest < 3 * 3600 else (3600.0, "h")


def scatter(marks: int, **content: Any) -> Any:
    """A trace of points or lines: as SVG, or by WebGL where a figure has many marks.

    What WebGL draws lies above all that is SVG, so the traces of one figure are asked for with the same number.
    """
    import plotly.graph_objects as go

    return go.Scattergl(**content) if marks > MANY else go.Scatter(**content)


def single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """In half the room; a gap where a value is not finite."""
    return np.where(np.isfinite(values), np.clip(values, -MOST, MOST), np.nan).astype(np.float32)


def gapped(numbers: Sequence[float | None]) -> NDArray[np.float64]:
    """For a line with a gap at each None."""
    return np.array(numbers, np.float64)


def framed(figure: go.Figure, height: int, axis: ValueAxis | None = None, top: int = 30) -> go.Figure:
    """Gives a figure its height in pixels, its legend below, and above it what its axis of values cannot show."""
    legend = {"orientation": "h", "yref": "container", "y": 0.0, "yanchor": "bottom"}
    figure.update_layout(
        height=height, legend=legend, margin={"t": top, "b": 90, "l": 70, "r": 30}, hovermode="closest"
    )
    if axis is not None and axis.note:
        place = {"x": 0.5, "y": 1.0, "xref": "paper", "yref": "paper", "xanchor": "center", "yanchor": "bottom"}
        figure.add_annotation(text=axis.note, **place, showarrow=False)
    return figure


def menu(buttons: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Buttons above a figure, legible on any page: plotly paints the pressed one nearly white."""
    place = {"x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "pad": {"t": 0, "b": 0}}
    colours = {"bgcolor": "#c8d2e0", "font": {"color": "#1f2733"}}
    return {"type": "buttons", "direction": "right", **place, **colours, "buttons": list(buttons)}


def said(text: str) -> go.Figure:
    """A sentence in place of a figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_annotation(text=escaped(text), x=0.0, y=0.5, xref="paper", yref="paper", xanchor="left", showarrow=False)
    figure.update_layout(height=90, margin={"t": 10, "b": 10}, xaxis={"visible": False}, yaxis={"visible": False})
    return figure
