"""What went wrong in a study, a line a cause, at its end and in ``mode=report``."""

from __future__ import annotations

from collections.abc import Sequence

from raytune_nn.report.tables import counted
from raytune_nn.store.causes import Cause, brief
from raytune_nn.store.record import StudyRecord

SHOWN_TRIALS, SHOWN_CAUSES = 5, 10
FIRST, LAST = 12, 8  # lines of a long traceback, whose message may be long as well
WIDTH = 300  # characters of a line


def failures(record: StudyRecord) -> str:
    """Why trials failed, with the traceback of the first of each cause, and why others were tried again."""
    failed = [(cause, cause.count, cause.trials, _traceback(cause)) for cause in record.causes.of_failures]
    retried = [(cause, cause.retries, cause.retried, list[str]()) for cause in record.causes.of_retries]
    return "\n".join([*_section("what went wrong", failed), *_section("tried again", retried)])


def _section(title: str, causes: Sequence[tuple[Cause, int, list[str], list[str]]]) -> list[str]:
    """A line a cause, and more lines under it."""
    lines = [f"\n{title}"] if causes else []
    for cause, count, trials, more in causes[:SHOWN_CAUSES]:
        lines.append(f"  {counted(count, 'time')}: {cause.diagnosis}  ({_listed(trials, count)})")
        lines += [f"    {line}" for line in more]
    if len(causes) > SHOWN_CAUSES:
        rest = sum(count for _, count, _, _ in causes[SHOWN_CAUSES:])
        lines.append(f"  {counted(rest, 'time')}: other causes, listed in summary.json")
    return lines


def _listed(trials: list[str], count: int) -> str:
    more = len(trials) > SHOWN_TRIALS or count > SHOWN_TRIALS
    return f"trial{'s' if len(trials) > 1 else ''} {', '.join(trials[:SHOWN_TRIALS])}{', …' if more else ''}"


def _traceback(cause: Cause) -> list[str]:
    """Nothing where it says no more than the line above it."""
    lines = [line[:WIDTH] for line in brief(cause.error).splitlines()]
    if len(lines) < 2:
        return []
    left_out = len(lines) - FIRST - LAST
    return lines if left_out <= 1 else [*lines[:FIRST], f"… {left_out} lines …", *lines[-LAST:]]
