"""The time line of slots: a row a slot, a bar for each piece of work, nothing where it was idle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from raytune_nn.report.figures.look import COLOURS
from raytune_nn.report.page.durations import format_seconds
from raytune_nn.report.page.slots import Piece, pieces_of, sessions
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLE = "Who trained when"
PIECES = {**COLOURS, "tried again": "#c77fd1", "cut off": "#b59f8c"}  # by what came of them
ROW, MARGINS, TALLEST = 30, 110, 900  # pixels


def timeline(study: Study) -> go.Figure | None:
    """Bars over the study's time; None before anything was started."""
    import plotly.graph_objects as go

    pieces = pieces_of(study.events)
    if not pieces:
        return None
    figure = go.Figure()
    scale, unit = _unit(max(piece.end for piece in pieces))
    for state, colour in PIECES.items():
        chosen = [piece for piece in pieces if piece.state == state]
        if chosen:
            figure.add_trace(_bars(chosen, state, colour, scale))
    slots = max(piece.slot for piece in pieces) + 1
    for begin in sessions(study.events):
        figure.add_vline(x=begin / scale, line={"dash": "dot", "width": 1}, annotation_text="resumed")
    figure.update_layout(
        barmode="overlay",
        bargap=0.25,
        height=min(TALLEST, MARGINS + ROW * slots),
        xaxis={"title": f"{unit} of the study", "rangemode": "tozero"},
        yaxis={"title": "slot", "autorange": "reversed", "dtick": max(1, slots // 16), "showgrid": False},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
        uniformtext={"mode": "hide", "minsize": 9},
    )
    return figure


def use_of_slots(study: Study) -> str:
    """How busy the slots were, in a sentence."""
    pieces = pieces_of(study.events)
    if not pieces or not study.record.wall_seconds:
        return "Each row is a slot, each bar a trial's training; gaps are idle."
    slots = len({piece.slot for piece in pieces})
    trained = sum(piece.seconds for piece in pieces)
    share = min(1.0, trained / (slots * study.record.wall_seconds))
    told = f"The {slots} slots were" if slots > 1 else "The one slot was"
    return (
        f"{told} at work for {share:.0%} of the time; gaps are idle. The longest gap of a slot between two "
        f"trainings was {format_seconds(_longest_gap(pieces))}."
    )


def _longest_gap(pieces: Sequence[Piece]) -> float:
    gaps = [0.0]
    for _, row in groupby(sorted(pieces, key=lambda piece: (piece.slot, piece.start)), key=lambda piece: piece.slot):
        work = list(row)
        gaps += [after.start - before.end for before, after in pairwise(work)]
    return max(gaps)


def _bars(pieces: Sequence[Piece], state: str, colour: str, scale: float) -> go.Bar:
    import plotly.graph_objects as go

    return go.Bar(
        name=state,
        orientation="h",
        y=[piece.slot for piece in pieces],
        base=[piece.start / scale for piece in pieces],
        x=[piece.seconds / scale for piece in pieces],
        text=[piece.trial for piece in pieces],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        textfont={"color": "#ffffff"},
        marker={"color": colour, "line": {"width": 0}},
        customdata=[
            [piece.trial, piece.first_epoch, piece.last_epoch, format_seconds(piece.seconds)] for piece in pieces
        ],
        hovertemplate="trial %{customdata[0]}: epochs %{customdata[1]} to %{customdata[2]}, %{customdata[3]}",
    )


def _unit(seconds: float) -> tuple[float, str]:
    """What an axis counts in."""
    return (3600.0, "hours") if seconds > 3 * 3600 else (60.0, "minutes") if seconds > 180 else (1.0, "seconds")
