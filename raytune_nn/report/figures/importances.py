"""Which parameters mattered: their importance for each metric, with what so few trials leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raytune_nn.report.figures.look import COLOURS, SCALE, escaped, framed, said
from raytune_nn.report.figures.parameters import short_names
from raytune_nn.report.importance import importances, unclear
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

_COLOURS = (SCALE[1][1], SCALE[2][1], COLOURS["complete"], COLOURS["interrupted"])  # of the metrics


def draw(study: Study) -> go.Figure | None:
    """None where nothing was tuned; a sentence where trials are too few, or too much alike."""
    import plotly.graph_objects as go

    trials = study.record.trials.values()
    if not any(trial.value_params for trial in trials):
        return None
    if why := unclear(study):
        return said(why)
    found, goals = importances(study), study.record.objective.goals
    paths = [path for path, *_ in found[0]]
    names = short_names(paths)
    figure = go.Figure()
    for number, (goal, of_goal) in enumerate(zip(goals, found, strict=True)):
        table = {path: (mean, spread) for path, mean, spread in of_goal}
        pairs = [table.get(path, (0.0, 0.0)) for path in paths]
        texts = [f"{escaped(path)}<br>{_active(study, path)}" for path in paths]
        error = {"type": "data", "array": [spread for _, spread in pairs], "thickness": 1.2}
        figure.add_trace(
            go.Bar(
                y=[escaped(names[path]) for path in paths],
                x=[mean for mean, _ in pairs],
                error_x={**error, "arrayminus": [min(pair) for pair in pairs], "symmetric": False},
                orientation="h",
                name=escaped(goal.metric),
                marker={"color": _COLOURS[number % len(_COLOURS)]},
                customdata=[[spread] for _, spread in pairs],
                text=texts,
                textposition="none",
                hovertemplate="%{text}<br>importance %{x:.2f} ± %{customdata[0]:.2f}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis={"title": {"text": "importance (share of 1)"}, "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "automargin": True, "tickmode": "linear", "dtick": 1},
        barmode="group",
        showlegend=len(goals) > 1,
    )
    return framed(figure, 130 + (26 + 12 * (len(goals) - 1)) * len(paths))


def _active(study: Study, path: str) -> str:
    """How many trials have the parameter, where not all do."""
    trials = study.record.trials.values()
    have = sum(path in trial.value_params for trial in trials)
    return f"{have} of {len(trials)} trials have it" if have < len(trials) else "all trials have it"
