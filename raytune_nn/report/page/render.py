"""Makes the page of a study: each part says what it shows, the template how."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raytune_nn import __version__
from raytune_nn.report.confirmed import heads_of, row, sentences
from raytune_nn.report.figures.look import COLOURS
from raytune_nn.report.page.costs import costs
from raytune_nn.report.page.doctor import told_by_doctor
from raytune_nn.report.page.figures import Figure, as_json, figures
from raytune_nn.report.page.mattered import mattered
from raytune_nn.report.page.summary import cards, notices, to_type, verdict
from raytune_nn.report.page.theme import themes
from raytune_nn.report.page.trials import trial_table
from raytune_nn.report.page.winner import compare_leaders
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted
from raytune_nn.store.causes import Cause, brief
from raytune_nn.store.folder import write_text

_HERE = Path(__file__).parent


def write_report(study: Study) -> Path:
    """Writes the page into the study's folder, whole or not at all, and publishes it.

    Raises:
        UnusableError: The folder cannot be written.
    """
    path = study.folder.report
    write_text(path, render(study))
    study.folder.publish(path)
    return path


def render(study: Study) -> str:
    """The page as HTML, all of it: no other file and no network are needed to look at it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # what users typed is escaped wherever it stands
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    drawn = list(figures(study))
    parts = {**_head(study), **_tables(study), **_code(), "figures": drawn}
    return environment.get_template("page.html").render(parts, contents=_contents(parts, drawn))


def _head(study: Study) -> dict[str, Any]:
    record = study.record
    made_by = record.study.get("versions", {})
    return {
        "name": study.folder.name,
        "status": record.status,
        "verdict": verdict(study),
        "notices": list(notices(study)),
        "cards": cards(study),
        "compared": compare_leaders(study),
        "confirmed": _confirmed(study),
        "mattered": mattered(study) if study.record.trials else [],
        "doctor": told_by_doctor(study),
        "commands": to_type(study),
        "version": __version__,
        "versions": " · ".join(f"{name} {number}" for name, number in made_by.items()),
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "place": study.folder.place,
    }


def _confirmed(study: Study) -> dict[str, Any]:
    """What mode=confirm came to; empty where it was not asked."""
    event = study.record.confirmed
    if not event:
        return {}
    rows = [(each["trial"], row(each, event)) for each in event["candidates"]]
    seeds = counted(len(event["seeds"]), "seed")
    return {
        "explains": f"{event['metric']} of each configuration, trained from the beginning on {seeds}.",
        "says": sentences(event),
        "heads": heads_of(event),
        "rows": rows,
        "recommended": event["recommended"],
    }


def _tables(study: Study) -> dict[str, Any]:
    causes = study.record.causes
    return {
        "costs": costs(study),
        "failures": [_cause(cause, cause.count, cause.trials) for cause in causes.of_failures],
        "retried": [_cause(cause, cause.retries, cause.retried) for cause in causes.of_retries],
        "table": as_json({**trial_table(study), "colours": COLOURS}),
    }


def _contents(parts: Mapping[str, Any], drawn: Sequence[Figure]) -> list[tuple[str, str]]:
    """The table of contents: identity and title of each section that the page has."""
    first = [("summary", "Summary")]
    if parts["compared"] is not None:
        first.append(("winner", parts["compared"].title))
    first += [("confirmed", "Who really won")] if parts["confirmed"] else []
    first += [("mattered", "What mattered")] if parts["mattered"] else []
    first += [("doctor", "Doctor")] if parts["doctor"] is not None else []
    middle = [("commands", "To type"), *((each.id, each.title) for each in drawn), ("costs", "What it cost")]
    last = [("failures", "What went wrong")] if parts["failures"] or parts["retried"] else []
    return [*first, *middle, *last, ("trials", "All trials")]


def _cause(cause: Cause, count: int, trials: list[str]) -> dict[str, Any]:
    more = ", …" if count > len(trials) else ""
    named = f"trial{'s' if len(trials) > 1 else ''} {', '.join(trials)}{more}"
    return {"diagnosis": str(cause.diagnosis), "count": count, "trials": named, "traceback": brief(cause.error)}


def _code() -> dict[str, Any]:
    """Styles and scripts, which are ours or plotly's: they stand as they are."""
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    scripts = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("page.js", "table.js"))
    return {
        "style": Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        "scripts": Markup(scripts),
        "plotly": Markup(get_plotlyjs()),
        "themes": as_json(themes()),
    }
