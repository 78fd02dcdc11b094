"""The rows of a plan: what a study is, what a dry run found, and what it will take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from raytune_nn.cluster.resources import Capacity, trials_on_one_gpu
from raytune_nn.config.fidelity import Fidelity
from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.modes.plan_forecast import forecast_rows
from raytune_nn.modes.preflight import Checked
from raytune_nn.report.tables import counted
from raytune_nn.space.leaf import written
from raytune_nn.space.space import Space
from raytune_nn.study.disk import Disk, peak
from raytune_nn.study.forecast import Forecast
from raytune_nn.trial.dry_run import Findings


def describe(checked: Checked, findings: Findings, corners: int, told: Forecast | None, untimed: str) -> str:
    """The plan as text: trials, epochs, rungs, slots, what it takes, and the space.

    Args:
        corners: Of the space.
        told: None: there is none.
        untimed: Why it was not asked for.
    """
    study, settings, capacity = checked.plan, checked.plan.settings, checked.capacity
    rungs = study.scheduler.rungs
    rows = [
        ("study", f"{checked.folder.place}{' (exists: resumes)' if checked.exists else ''}"),
        ("objective", _objective(study.objective)),
        ("trials", str(study.num_trials)),
        ("epochs", _epochs(settings.budget.max_epochs, study.objective.folds, study.num_trials, told)),
        ("rungs", _rungs(rungs, study.fidelity) if rungs else "none"),
        ("scheduler", study.scheduler.describe()),
        ("slots", _slots(capacity, settings.resources)),
    ]
    if findings.size is not None:
        rows.append(("disk", _disk(peak(study, capacity.at_once, findings.size))))
    rows += _trained(findings, corners)
    if findings.logged is not None:
        rows += forecast_rows(told, findings, untimed)
    lines = [f"{name:<10} {value}" for name, value in rows]
    return "\n".join([*lines, *_space_lines(study.space)])


def _objective(objective: Objective) -> str:
    wanted = [f"the {'highest' if goal.maximise else 'lowest'} {goal.metric}" for goal in objective.goals]
    take = objective.take.value
    if objective.further:
        by = f" by {objective.metric}" if take == "best" else ""
        return f"the Pareto front of {' and '.join(wanted)}; a trial's {take} report{by} counts"
    if objective.folds is None:
        return f"{wanted[0]}; a trial's {take} report counts"
    return f"{wanted[0]}, as the mean of {objective.folds} folds; a fold's {take} report counts"


def _rungs(steps: Sequence[int], fidelity: Fidelity) -> str:
    unit = "" if fidelity.is_epochs else f" ({fidelity.name})"
    return f"{', '.join(map(str, steps))}{unit}"


def _epochs(training: int, folds: int | None, trials: int, told: Forecast | None) -> str:
    trial = training * (folds or 1)
    each = f"{training} a fold, {trial} a trial" if folds else f"{trial} a trial"
    expected = "" if told is None else f", {_expected(told)}"
    return f"{each}, at most {trials * trial} in all{expected}"


def _expected(told: Forecast) -> str:
    low, middle, high = (round(epochs) for epochs in told.epochs)
    return f"about {middle}" if low == high else f"about {middle} ({low} to {high})"


def _trained(findings: Findings, corners: int) -> list[tuple[str, str]]:
    """What was tried."""
    rows = []
    if findings.memory:
        gpu = f", {_megabytes(findings.gpu_memory)} of its GPU" if findings.gpu_memory else ""
        rows.append(("memory", f"about {_megabytes(findings.memory)} a trial{gpu}, libraries included"))
    if corners:
        rows.append(("corners", f"{findings.corners} of {corners} of the space trained a batch"))
    if findings.batches is not None and max(findings.batches) < math.inf:
        train, val = findings.batches
        rows.append(("batches", f"{train:.0f} of training and {val:.0f} of validation an epoch"))
    if findings.timings:
        seconds = sorted(timing.epoch for timing in findings.timings)
        spread = f"{_brief(seconds[0])} to {_brief(seconds[-1])}" if len(seconds) > 1 else _brief(seconds[0])
        rows.append(("an epoch", f"{spread} in {counted(len(seconds), 'configuration')}"))
    return rows


def _brief(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.3g} s"


def _disk(disk: Disk) -> str:
    """Rounded up: it is what may be needed."""
    parts = [f"{counted(disk.models, 'model')} of {_megabytes(disk.size.model)}"]
    if disk.states:
        parts.append(f"{counted(disk.states, 'training state')} of {_megabytes(disk.size.state)}")
    return f"at most about {_megabytes(disk.total)}: {', '.join(parts)}, and {_megabytes(disk.other)} of reports"


def _megabytes(count: int) -> str:
    tenths = math.ceil(count / 1e5)
    return f"{tenths / 10:.1f} MB" if tenths < 100 else f"{math.ceil(tenths / 10):,} MB"


def _slots(capacity: Capacity, resources: ResourcesConfig) -> str:
    shared = trials_on_one_gpu(capacity, resources)
    grows = f", {capacity.most} when the cluster has grown" if capacity.at_once > capacity.slots else ""
    each = f"{counted(capacity.slots, 'trial')} at once{grows}, each {_amounts(resources)}"
    return f"{each}; {shared} share a GPU" if shared > 1 else each


def _amounts(resources: ResourcesConfig) -> str:
    parts = [counted(resources.cpus, "CPU"), counted(resources.gpus, "GPU")]
    each = " and ".join(parts if resources.gpus else parts[:1])
    return each if resources.workers == 1 else f"{resources.workers} workers of {each}"


def _space_lines(space: Space) -> list[str]:
    if space.is_empty:
        return ["space      none: a single training"]
    size = space.size()
    head = f"space      {'a continuum' if size is None else counted(size, 'point')}"
    lines = []
    for path, domain, chosen in space.paths():
        condition = "".join(f"  if {group}={option}" for group, option in chosen.items())
        lines.append(f"  {path:<28} {written(domain)}{condition}")
    return [head, *lines]
