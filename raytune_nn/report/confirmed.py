"""Who really won, in words and as a table: what a `confirmed` event says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raytune_nn.report.tables import counted, format_value
from raytune_nn.store.journal import Event

OPTIMISTIC = (
    "These are validation values, on which the study chose its trials and each training its epoch: they are optimistic."
)


def confirmed_text(event: Event) -> str:
    """For a terminal: each configuration with its interval, who is tied, and which one to take."""
    candidates = event["candidates"]
    lines = ["", f"{event['metric']}, mean of {counted(len(event['seeds']), 'training')}{_interval(event)}"]
    rows = [(f"trial {each['trial']}", *row(each, event)) for each in candidates]
    heads = ("", *heads_of(event))
    widths = [max(len(line[column]) for line in (heads, *rows)) for column in range(len(heads))]
    for line in (heads, *rows):
        lines.append("  " + "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    lines += ["", *sentences(event)]
    chosen = next(each for each in candidates if each["trial"] == event["recommended"])
    lines.append(f"\nrecommended  trial {chosen['trial']}: {_of(chosen, event)}")
    lines += [f"      {path} = {format_value(value)}" for path, value in chosen["params"].items()]
    return "\n".join(lines)


def heads_of(event: Event) -> tuple[str, ...]:
    """Heads of the columns of ``row``."""
    return ("mean", f"{event['confidence']:.0%} interval", f"{event['of']} in the study", "p", "parameters", "")


def row(candidate: dict[str, Any], event: Event) -> tuple[str, ...]:
    """A configuration: mean, interval, what the study had promised, p against the best, size, and what it is."""
    low, high, p = candidate["low"], candidate["high"], candidate["p"]
    missing = sum(value is None for value in candidate["values"])
    marks = ["best"] if candidate["trial"] == event["best"] else ["tied"] if candidate["tied"] else []
    marks += ["recommended"] if candidate["trial"] == event["recommended"] else []
    marks += [f"{missing} of {len(candidate['values'])} without a value"] if missing else []
    return (
        "-" if candidate["mean"] is None else f"{candidate['mean']:.5g}",
        "-" if low is None else f"{low:.5g} to {high:.5g}",
        f"{candidate['promised']:.5g}",
        "" if p is None else "<0.001" if p < 0.001 else f"{p:.2g}",
        f"{candidate['parameters']:,}",
        ", ".join(marks),
    )


def sentences(event: Event) -> list[str]:
    """What follows from it, and what it was measured on."""
    tied = [each["trial"] for each in event["candidates"] if each["tied"] and each["trial"] != event["best"]]
    told = [_tied(event, tied), _why_recommended(event)]
    if event["on"] == "test":
        times = {1: "once", 2: "twice"}.get(event["openings"], f"{event['openings']} times")
        told.append(f"Test data opened {times}, after the last training.")
        if event["openings"] > 1:
            told.append("What was chosen after an earlier look at them makes these values optimistic.")
    else:
        told += [f"No test data: {event['why']}.", OPTIMISTIC]
    if event["overlap"]:
        told.append("Each seed cuts the data anew: intervals and tests allow for rows that trainings share.")
    return told


def _tied(event: Event, tied: Sequence[str]) -> str:
    compared = sum(each["p"] is not None for each in event["candidates"])
    best = f"Trial {event['best']} has the best mean"
    if not compared:
        return f"{best}; there is no other to compare it with."
    if not tied:
        return f"{best}, and is told from all others (paired t-test, corrected by Holm)."
    names = f"trial{'s' if len(tied) > 1 else ''} {', '.join(tied)}"
    return f"{best}; nothing tells it from {names} (paired t-test, corrected by Holm)."


def _why_recommended(event: Event) -> str:
    if event["recommended"] == event["best"]:
        return f"Trial {event['best']} is recommended: no smaller one is within a standard error of it."
    return (
        f"Trial {event['recommended']} is recommended: of those within a standard error of the best "
        "it has the fewest parameters."
    )


def _interval(event: Event) -> str:
    first, last = event["seeds"][0], event["seeds"][-1]
    return f" each (seeds {first} to {last})"


def _of(candidate: dict[str, Any], event: Event) -> str:
    return f"{event['metric']} = {candidate['mean']:.6g}, {candidate['parameters']:,} parameters"
