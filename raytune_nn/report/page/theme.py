"""How figures look on a light and on a dark page: what a figure itself does not set."""

from __future__ import annotations

from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif"
SERIES = ["#3b7dd8", "#e08a3c", "#2f9e6e", "#c2558c", "#7d6fc9", "#4aa8b8", "#b8912f", "#8a94a6"]  # on both pages
SCALE = "Viridis"


def themes() -> dict[str, Any]:
    """Templates of plotly by the page's colour scheme; the colours are those of `page.css`."""
    return {
        "light": _template(text="#1b2230", muted="#5c6675", line="#e2e6ec", sheet="#ffffff"),
        "dark": _template(text="#e5e9f0", muted="#99a3b3", line="#2a303b", sheet="#181c24"),
    }


def _template(text: str, muted: str, line: str, sheet: str) -> dict[str, Any]:
    axis = {
        "automargin": True,
        "gridcolor": line,
        "linecolor": line,
        "zerolinecolor": line,
        "tickfont": {"color": muted},
        "title": {"standoff": 10, "font": {"size": 12, "color": muted}},
    }
    layout = {
        "paper_bgcolor": sheet,  # not transparent: labels of parallel coordinates have a halo of it
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": text},
        "colorway": SERIES,
        "margin": {"l": 56, "r": 16, "t": 28, "b": 44},
        "xaxis": axis,
        "yaxis": axis,
        "hoverlabel": {"bgcolor": sheet, "bordercolor": line, "font": {"family": FONT, "color": text}, "align": "left"},
        "legend": {"bgcolor": "rgba(0,0,0,0)", "font": {"color": muted}},
        "coloraxis": {"colorbar": {"outlinewidth": 0, "thickness": 12}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": muted, "activecolor": text},
        "updatemenudefaults": {"bgcolor": sheet, "bordercolor": line, "font": {"color": text}},
        "annotationdefaults": {"font": {"color": muted}, "arrowcolor": muted},
        "shapedefaults": {"line": {"color": muted}},
    }
    parallel = {"labelfont": {"color": text}, "tickfont": {"color": muted}, "rangefont": {"color": muted}}
    whiskers = {"error_x": {"color": muted}, "error_y": {"color": muted}}
    return {"layout": layout, "data": {"parcoords": [parallel], "bar": [whiskers], "scatter": [whiskers]}}
