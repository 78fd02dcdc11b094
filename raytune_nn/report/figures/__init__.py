"""Figures of a study, in the order of the page: each answers one question, or says nothing where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raytune_nn.report.figures import (
    confirmed,
    contour,
    history,
    importances,
    learning_curves,
    lineage,
    parallel,
    pareto,
    rungs,
    schedules,
    slices,
)
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Section:
    """A figure and how to read it."""

    title: str
    explains: str  # one sentence
    draw: Callable[[Study], go.Figure | None]


FIGURES: tuple[Section, ...] = (
    Section(
        "Means over seeds",
        "What mode=confirm compared: a dot is a training, the large mark the mean with its interval, and the stroke "
        "what the study had seen on validation rows.",
        confirmed.draw,
    ),
    Section(
        "Optimisation history",
        "Each mark is a trial when it reached its value, the line is the best so far, and crosses at the edge are "
        "trials that have no value.",
        history.draw,
    ),
    Section(
        "Pareto front",
        "On the front are trials that no other one matches by every metric and beats by one; the others are faint.",
        pareto.draw,
    ),
    Section(
        "Learning curves",
        "What each trial reported epoch by epoch, in the colour of what became of it; marks say where it was stopped, "
        "paused, promoted or lost, and why: a click in the legend hides a kind, a double-click all others.",
        learning_curves.draw,
    ),
    Section(
        "Rungs",
        "What trials had reported when they came to a rung, and how many of them went on; lines are what it took in "
        "the end to be among those.",
        rungs.draw,
    ),
    Section(
        "Lineage",
        "Each row is a member of the population; a diamond is where it went on from another one's state, and the thick "
        "line leads to the best value.",
        lineage.draw,
    ),
    Section(
        "Schedules",
        "How the parameters that the population changed went from epoch to epoch; the thick line is what the weights "
        "behind the best value were trained with.",
        schedules.draw,
    ),
    Section(
        "Importance of parameters",
        "A long bar: where the best trials lie depends on this parameter; the whisker is the standard deviation over "
        "studies drawn anew from these trials, so bars whose whiskers overlap are not to be told apart.",
        importances.draw,
    ),
    Section(
        "Slices",
        "The value of each trial over each parameter, the most important first; faint trials had few epochs, so a low "
        "value there says little.",
        slices.draw,
    ),
    Section(
        "The two parameters that matter most",
        "Values between the trials are means of the nearest ones; the star is the best trial.",
        contour.draw,
    ),
    Section(
        "Parallel coordinates",
        "Each line is a trial, the better the redder; drag along an axis to see only the trials that pass there.",
        parallel.draw,
    ),
)
