"""The forecast of a plan: what a study is made of and what a dry run timed, put before the simulation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from raytune_nn.cluster.resources import found_gpus
from raytune_nn.modes.preflight import Checked
from raytune_nn.report.page.durations import format_seconds
from raytune_nn.study.epoch_costs import EpochCosts
from raytune_nn.study.forecast import Forecast, forecast
from raytune_nn.study.forecast_curves import LearningCurves
from raytune_nn.study.session import StudyPlan
from raytune_nn.study.simulated_study import Extent, Overheads
from raytune_nn.trial.dry_run import Findings

TIMED = 16  # configurations at most
MOST_PROCESSES = 8
# In times of what the libraries took to import, since all of it grows with the machine's load: from the checks to the
# first trial (Ray starts, slots import and check) and from the last report to the prompt (tables, report, goodbye).
START, END = 1.9, 0.5
PIECE = 0.02  # the same, between two pieces of work of a slot


def suggestions(plan: StudyPlan) -> Callable[[int], dict[str, Any] | None]:
    """The trials' parameters: those of the study, or of a searcher that learns like ones."""
    if plan.settings.search is None:
        return lambda number: {}
    if not plan.searcher.learns:
        return plan.searcher.suggest
    return lambda number: plan.space.sample(Random(f"{plan.settings.seed}/{number}"))


def to_time(plan: StudyPlan) -> list[dict[str, Any]]:
    """Configurations worth timing: the first trials."""
    suggest = suggestions(plan)
    found = [suggest(number) for number in range(min(TIMED, plan.num_trials))]
    return [params for params in found if params is not None]


def not_timed(checked: Checked) -> str:
    """Why nothing can be timed here; empty where it can."""
    if checked.plan.settings.resources.gpus and not found_gpus():
        return "its trials train on a GPU, and this machine has none"
    return ""


def foretell(checked: Checked, findings: Findings, checks: float) -> Forecast | None:
    """The forecast; None where nothing was timed.

    Args:
        checks: Seconds from the beginning of the command to the end of its checks.
    """
    if not findings.timings:
        return None
    plan, settings = checked.plan, checked.plan.settings
    extent = Extent(
        trials=plan.num_trials,
        epochs=settings.budget.max_epochs,
        folds=plan.objective.folds or 1,
        slots=checked.capacity.at_once,
        gpus=plan.gpus,
        max_hours=settings.budget.max_hours,
        max_gpu_hours=settings.budget.max_gpu_hours,
        max_total_epochs=settings.budget.max_total_epochs,
    )
    costs, curves = EpochCosts(findings.timings), LearningCurves(findings.timings, extent.epochs * extent.folds)
    overheads = _overheads(plan, findings, checks)
    return forecast(extent, plan.scheduler, suggestions(plan), costs, curves, overheads, settings.seed)


def _overheads(plan: StudyPlan, findings: Findings, checks: float) -> Overheads:
    imports = findings.imports
    if plan.settings.search is None:  # it trains in this process
        return Overheads(checks + imports, 0.0, 0.2 * imports)
    return Overheads(checks + START * imports, PIECE * imports, END * imports)


def seconds_so_far() -> float:
    """Since this process began, which takes a command as long whatever its mode is."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def processes(checked: Checked) -> int:
    """That time configurations at once: as many as trials train, as far as this machine has the CPUs."""
    settings, capacity = checked.plan.settings, checked.capacity
    fitting = int(len(os.sched_getaffinity(0)) / settings.resources.cpus)
    return max(1, min(capacity.slots, checked.plan.num_trials, fitting, MOST_PROCESSES))


def forecast_rows(told: Forecast | None, findings: Findings, untimed: str) -> list[tuple[str, str]]:
    """Rows of the plan."""
    if told is None:
        return [("hours", f"no forecast: {untimed or findings.untimed}")]
    low, middle, high = told.seconds
    rows = [
        ("time", f"{format_seconds(middle)}; {format_seconds(low)} to {format_seconds(high)} in 4 of 5 studies"),
        ("hours", _interval(*(seconds / 3600 for seconds in told.seconds))),
    ]
    if told.gpu_hours[2]:
        rows.append(("GPU-hours", _interval(*told.gpu_hours)))
    ends = [f"{end} ({100 * share:.0f}%)" if len(told.ends) > 1 else end for end, share in told.ends.items()]
    return [*rows, ("ends by", ", ".join(ends))]


def _interval(low: float, middle: float, high: float) -> str:
    return f"{_figure(low)} to {_figure(high)}, {_figure(middle)} in the median"


def _figure(hours: float) -> str:
    return f"{hours:.4f}" if hours < 0.1 else f"{hours:.3g}"
