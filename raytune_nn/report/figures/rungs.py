"""Rungs of successive halving: how many trials reached each, what they had reported there, and who went on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from raytune_nn.report.figures.look import (
    BEST,
    COLOURS,
    NO_VALUE,
    ValueAxis,
    about,
    escaped,
    framed,
    gapped,
    scatter,
    single,
)
from raytune_nn.report.figures.points import Points
from raytune_nn.report.figures.reading import points
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH = 0.28  # of a cloud of marks to each side of its rung
WENT_ON, STAYED, LOST = "went on, or came to the end", "went no further", "diverged or failed"
_COLOURS = {WENT_ON: COLOURS["complete"], STAYED: COLOURS["stopped"], LOST: COLOURS["diverged"]}


@dataclass(frozen=True)
class Rung:
    """The trials that reached a rung."""

    step: int
    rows: Mapping[int, int]  # trial to its first report there
    ends: Mapping[int, str]  # trial to what became of it, or was so far: one of the three above
    cutoff: float | None  # value of the worst that goes on; None: nobody does, or it cannot be known

    def count(self, end: str) -> int:
        """How many trials came to this end."""
        return sum(other == end for other in self.ends.values())


def draw(study: Study) -> go.Figure | None:
    """None where nothing was decided at rungs."""
    from plotly.subplots import make_subplots

    read = points(study)
    rungs = read_rungs(study, read)
    if not rungs:
        return None
    axis = ValueAxis.of(read.record.objective.goals[0], read.values[[row for r in rungs for row in r.rows.values()], 0])
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.05)
    for end, colour in _COLOURS.items():
        if any(rung.count(end) for rung in rungs):
            figure.add_trace(_cloud(read, rungs, end, axis, colour), row=1, col=1)
            figure.add_trace(_bars(rungs, end, colour), row=2, col=1)
    if any(rung.cutoff is not None for rung in rungs):
        figure.add_trace(_cutoffs(rungs, _factor(study)), row=1, col=1)
    ticks = {"tickvals": list(range(len(rungs))), "ticktext": [f"{rung.step}" for rung in rungs]}
    bounds = {"range": [-0.5, len(rungs) - 0.5], "zeroline": False}
    figure.update_xaxes(**ticks, **bounds)
    figure.update_xaxes(title_text=f"rung ({_unit(study)} trained)", row=2, col=1)
    figure.update_yaxes(axis.layout, row=1, col=1)
    figure.update_yaxes(title_text="trials", row=2, col=1)
    figure.update_layout(barmode="stack")
    return framed(figure, 560, axis)


def read_rungs(study: Study, read: Points) -> list[Rung]:
    """The rungs that a trial has reached, lowest first."""
    steps = sorted({*read.rungs, *_configured(study)})
    if not steps or not len(read.trial) or read.population:
        return []
    firsts = [_first_reports(read, step) for step in steps]
    return [_rung(study, read, step, rows) for step, rows in zip(steps, firsts, strict=True) if rows]


def _rung(study: Study, read: Points, step: int, rows: Mapping[int, int]) -> Rung:
    ends = {}
    for place, row in rows.items():
        lost = not np.isfinite(read.values[row]).all()
        farthest = np.nanmax(read.reached[read.rows_of(place)])
        on_its_way = read.trials[place].state in ("running", "waiting", "complete")
        ends[place] = LOST if lost else WENT_ON if farthest > step or on_its_way else STAYED
        if ends[place] == STAYED and read.trials[place].state in NO_VALUE:
            ends[place] = LOST
    return Rung(step, rows, ends, _cutoff(study, read, step, list(rows.values())))


def _first_reports(read: Points, step: int) -> dict[int, int]:
    """By trial its first report at the step or after it."""
    rows = np.flatnonzero(read.reached >= step)
    places, first = np.unique(read.trial[rows], return_index=True)
    return dict(zip(places.tolist(), rows[first].tolist(), strict=True))


def _cutoff(study: Study, read: Points, step: int, rows: Sequence[int]) -> float | None:
    """The worst among the best 1/factor of the values; with several brackets they were not all compared."""
    scheduler = _scheduler(study)
    factor = _factor(study)
    values = read.values[rows, 0]
    values = values[np.isfinite(values)]
    if factor is None or scheduler.get("brackets", 1) != 1 or step >= scheduler.get("max_epochs", step + 1):
        return None
    quota = len(values) // factor
    ranked = np.sort(values)[::-1] if read.record.objective.maximise else np.sort(values)
    return float(ranked[quota - 1]) if quota else None


def _scheduler(study: Study) -> Mapping[str, Any]:
    search = None if study.settings is None else study.settings.search
    return {} if search is None else search.scheduler


def _factor(study: Study) -> int | None:
    factor = _scheduler(study).get("reduction_factor")
    return factor if isinstance(factor, int) and factor > 1 else None


def _configured(study: Study) -> list[int]:
    """The rungs up to the end of a training, where the scheduler is one of halving."""
    scheduler, factor = _scheduler(study), _factor(study)
    step, last = scheduler.get("grace_period"), scheduler.get("max_epochs")
    if factor is None or not isinstance(step, int) or not isinstance(last, int) or step < 1:
        return []
    steps = []
    while step < last:
        steps.append(step)
        step *= factor
    return [*steps, last]


def _unit(study: Study) -> str:
    search = None if study.settings is None else study.settings.search
    name = "epoch" if search is None else search.fidelity
    return {"epoch": "epochs", "step": "optimizer steps"}.get(name, escaped(name))


def _cloud(read: Points, rungs: Sequence[Rung], end: str, axis: ValueAxis, colour: str) -> Any:
    """A mark a trial at each rung, side by side in the order of the trials."""
    x, y, texts = [], [], []
    for number, rung in enumerate(rungs):
        for place, row in rung.rows.items():
            if rung.ends[place] == end:
                x.append(number + WIDTH * (2 * ((place * 0.618034) % 1.0) - 1))
                y.append(read.values[row, 0])
                texts.append(_about(read, rung.step, place, row))
    marker = {"color": colour, "symbol": "x" if end == LOST else "circle", "size": 6, "opacity": 0.75}
    content = {"x": np.array(x, np.float32), "y": single(axis.placed(np.array(y))), "text": texts}
    template = "%{text}<extra></extra>"
    return scatter(
        _count(rungs), **content, mode="markers", marker=marker, name=end, legendgroup=end, hovertemplate=template
    )


def _count(rungs: Sequence[Rung]) -> int:
    """Of the marks."""
    return sum(len(rung.rows) for rung in rungs)


def _about(read: Points, step: int, place: int, row: int) -> str:
    metric = escaped(read.record.objective.metric)
    head = f"at rung {step}: {metric} = {read.values[row, 0]:.6g} (epoch {read.epoch[row]})"
    return f"{head}<br>{about(read.trials[place], read.record)}"


def _bars(rungs: Sequence[Rung], end: str, colour: str) -> Any:
    import plotly.graph_objects as go

    counts = [rung.count(end) for rung in rungs]
    template = f"rung %{{customdata}}: %{{y}} {end}<extra></extra>"
    content = {"x": list(range(len(rungs))), "y": counts, "customdata": [rung.step for rung in rungs]}
    marker = {"color": colour}
    return go.Bar(**content, marker=marker, name=end, legendgroup=end, showlegend=False, hovertemplate=template)


def _cutoffs(rungs: Sequence[Rung], factor: int | None) -> Any:
    """A short line at each rung that has one."""
    known = [(number, rung.cutoff) for number, rung in enumerate(rungs) if rung.cutoff is not None]
    x = [at for number, _ in known for at in (number - 0.42, number + 0.42, None)]
    y = [at for _, cutoff in known for at in (cutoff, cutoff, None)]
    line = {"color": BEST, "width": 2}
    template = "cutoff: %{y:.6g}<extra></extra>"
    name = f"cutoff: the best 1/{factor}"
    return scatter(_count(rungs), x=gapped(x), y=gapped(y), mode="lines", line=line, name=name, hovertemplate=template)
