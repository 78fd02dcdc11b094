"""Figures as the page holds them: drawn here into JSON, which a browser turns into pictures once they are in sight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from raytune_nn.report.figures import FIGURES
from raytune_nn.report.page.timeline import TITLE, timeline, use_of_slots
from raytune_nn.report.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 420  # pixels of a figure that does not say


@dataclass(frozen=True)
class Figure:
    """A section of the page with a figure in it."""

    id: str
    title: str
    explains: str
    height: float
    roomy: bool  # whether it stays wide on a narrow screen, which then scrolls over it
    json: Markup


def figures(study: Study) -> Iterator[Figure]:
    """Those that say something about this study, in the order of the page."""
    for section in FIGURES:
        if (drawn := section.draw(study)) is not None:
            yield _held(section.title, section.explains, drawn)
    if (slots := timeline(study)) is not None:
        yield _held(TITLE, use_of_slots(study), slots)


def inside_script(text: str) -> Markup:
    """JSON as it can stand in a script of a page: no text in it ends the script, or begins a comment."""
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def as_json(tree: object) -> Markup:
    """Plain data for a script of the page."""
    return inside_script(json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def _held(title: str, explains: str, figure: go.Figure) -> Figure:
    import plotly.io as io

    figure.layout.template = None  # the page has its own
    height = figure.layout.height or HEIGHT
    id = re.sub(r"\W+", "-", title.lower())
    roomy = "xaxis3" in figure.layout or any(trace.type == "parcoords" for trace in figure.data)
    return Figure(id, title, explains, height, roomy, inside_script(io.to_json(figure, validate=False)))
