"""Schedules: how the parameters that a population changed went from epoch to epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raytune_nn.report.figures.lineage import Step, best_way
from raytune_nn.report.figures.look import BEST, COLOURS, framed, gapped, scatter
from raytune_nn.report.figures.parameters import Parameter, parameters
from raytune_nn.report.figures.points import Points, Stage
from raytune_nn.report.figures.reading import points
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 190  # pixels of a parameter


def draw(study: Study) -> go.Figure | None:
    """None where no trial changed a parameter on its way."""
    from plotly.subplots import make_subplots

    read = points(study)
    changed = [parameter for parameter in parameters(study) if parameter.path in read.changed]
    if not changed:
        return None
    figure = make_subplots(rows=len(changed), cols=1, shared_xaxes=True, vertical_spacing=0.12 / len(changed))
    way = best_way(read)
    for row, parameter in enumerate(changed, start=1):
        figure.add_trace(_lines(read, parameter, read.stages, first=row == 1), row=row, col=1)
        if way:
            figure.add_trace(_best(read, parameter, way, first=row == 1), row=row, col=1)
        figure.update_yaxes(parameter.layout, row=row, col=1)
    figure.update_xaxes(title_text="epochs trained", row=len(changed), col=1)
    return framed(figure, 120 + HEIGHT * len(changed))


def _lines(read: Points, parameter: Parameter, stages: Any, first: bool) -> Any:
    """Each stage of each trial as a level line."""
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for stage in sorted(stages, key=lambda stage: stage.trial):
        at = parameter.at(stage.params)
        x += [stage.begin, stage.end, None]
        y += [at, at, None]
        texts += [f"trial {read.trials[stage.trial].id}: epochs {stage.begin} to {stage.end}"] * 2 + [""]
    marks = {"mode": "lines+markers", "marker": {"size": 4}}
    line = {"color": COLOURS["interrupted"], "width": 1.2}
    opacity = max(0.25, min(0.9, 30 / max(1, len(read.trials))))
    return scatter(
        len(read.stages),
        x=gapped(x),
        y=gapped(y),
        text=texts,
        **marks,
        line=line,
        opacity=opacity,
        name="each trial",
        legendgroup="trials",
        showlegend=first,
        hovertemplate=_template(parameter),
    )


def _best(read: Points, parameter: Parameter, way: list[Step], first: bool) -> Any:
    """What the weights behind the best value were trained with, from the beginning."""
    x: list[float] = []
    y: list[float] = []
    texts: list[str] = []
    for step in reversed(way):
        for stage in _stages_of(read, step):
            begin, end, at = max(stage.begin, step.begin), min(stage.end, step.end), parameter.at(stage.params)
            x += [begin, end]
            y += [at, at]
            texts += [f"trial {read.trials[step.trial].id}: epochs {begin} to {end}"] * 2
    line = {"color": BEST, "width": 3}
    return scatter(
        len(read.stages),
        x=gapped(x),
        y=gapped(y),
        text=texts,
        mode="lines",
        line=line,
        name="behind the best value",
        legendgroup="best",
        showlegend=first,
        hovertemplate=_template(parameter),
    )


def _stages_of(read: Points, step: Step) -> list[Stage]:
    """The trial's stages within a part of the way; of one that was trained again, the later."""
    of_trial = [stage for stage in read.stages if stage.trial == step.trial]
    within = [stage for stage in of_trial if stage.begin < step.end and stage.end > step.begin]
    return list({stage.begin: stage for stage in within}.values())


def _template(parameter: Parameter) -> str:
    return f"%{{text}}<br>{parameter.layout['title']['text']} = %{{y}}<extra></extra>"
