"""Tries a command out to the end and says what it would take; starts no study and creates nothing."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from raytune_nn.cluster.headroom import check_headroom
from raytune_nn.cluster.resources import found_gpus
from raytune_nn.cluster.submit.submitters import submitter_of
from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError
from raytune_nn.modes.plan_forecast import foretell, not_timed, processes, seconds_so_far, to_time
from raytune_nn.modes.plan_rows import describe
from raytune_nn.modes.plan_warnings import Warned, warnings_of
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.space.corners import corners, middle
from raytune_nn.study.unlogged import Unlogged
from raytune_nn.trial.dry_run import DryRun, Findings

MOST_CORNERS = 32


def plan(composed: Composed) -> None:
    """Runs both stages of preflight, tries a few configurations, and prints the plan.

    Raises:
        ConfigError: The first rule that is broken; with ``plan.strict``, also the first warning.
    """
    checked, checks = preflight(composed), seconds_so_far()
    settings = checked.plan.settings
    if settings.search is not None and checked.address is None:
        check_headroom(checked.capacity, settings.resources)
    found = corners(checked.plan.config, checked.plan.space, settings.seed)
    untimed = not_timed(checked)
    run = DryRun(
        checked.targets if _is_here(checked) else replace(checked.targets, trials=()),
        checked.plan.context(checked.folder),
        middle(checked.plan.config, checked.plan.space, settings.seed),
        found[:MOST_CORNERS],
        [] if untimed else to_time(checked.plan),
        processes(checked),
    )
    findings = _tried(run, silent=settings.verbose != 1)
    told = foretell(checked, findings, checks)
    print(describe(checked, findings, len(found), told, untimed))
    _warn(warnings_of(checked, findings, told, untimed), settings.plan.strict)


def _is_here(checked: Checked) -> bool:
    """Whether this machine has what trials need; that of a job may have other files, and GPUs."""
    settings = checked.plan.settings
    submitter = submitter_of(settings.cluster)
    if submitter is None:
        return True
    return submitter.SHARES_FILES and (not settings.resources.gpus or found_gpus() > 0)


def _tried(run: DryRun, silent: bool) -> Findings:
    """What is found; on a terminal, what is done is shown meanwhile.

    Raises:
        ConfigError: Something fails, or the objective is not logged.
    """
    console = Console(stderr=True)
    if silent or not console.is_terminal:
        findings = run.run_apart()
    else:
        with console.status("importing") as status:
            findings = run.run_apart(lambda doing: status.update(doing) if doing else None)
    objective, logged = run.study.objective, findings.logged
    if logged is not None and any(goal.metric not in logged for goal in objective.goals):
        raise Unlogged.metric(objective, logged).error
    return findings


def _warn(warned: list[Warned], strict: bool) -> None:
    """Prints the warnings.

    Raises:
        ConfigError: There is one, and the plan is strict.
    """
    for warning in warned:
        print(f"\nwarning: {warning.rule}\n  found: {warning.found}\n  try:   {warning.fix}")
    if warned and strict:
        first = warned[0]
        raise ConfigError(
            f"with plan.strict=true a plan must be without warnings: {first.rule}", first.found, first.fix
        )
