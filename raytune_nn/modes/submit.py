"""Hands a study in: checks the command to the end, and has a job run it on a cluster of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from raytune_nn.cluster.resources import found_gpus
from raytune_nn.cluster.submit.submission import Submission, Submitter, arguments_inside
from raytune_nn.cluster.submit.submitters import submitter_of
from raytune_nn.config.compose import Composed, check_composes
from raytune_nn.config.schema import Resume
from raytune_nn.errors import ConfigError
from raytune_nn.modes.ending import show_ending
from raytune_nn.modes.preflight import Checked, preflight
from raytune_nn.study.session import read_finished


def submit(composed: Composed) -> None:
    """Checks as ``mode=plan`` does, renders the job and hands it in, or with ``cluster.dry_run`` prints it.

    Raises:
        ConfigError: The first rule that is broken; nothing was handed in.
        UnusableError: The place that takes jobs refuses this one.
    """
    settings = composed.settings
    submitter = submitter_of(settings.cluster)
    if submitter is None:
        chosen = f"cluster={composed.choices.get('cluster', '…')}"
        raise ConfigError("mode=submit hands in a job to a cluster that takes some", chosen, "cluster=slurm")
    if settings.study.resume is Resume.never:
        rule = "a job that runs again resumes its study"
        raise ConfigError(rule, "study.resume=never", "study.resume=auto, and a study.name that is free")
    checked = preflight(composed)
    if checked.exists and (record := read_finished(checked.plan, checked.folder)) is not None:
        show_ending(checked.plan, checked.folder, record)
        return
    _check_targets(checked, submitter)
    submission = _submission(composed, checked)
    text = submitter.render(submission)
    if submission.cluster.dry_run:
        print(text, end="")
    else:
        submitter.submit(submission, text)


def _check_targets(checked: Checked, submitter: Submitter) -> None:
    """A trial is built here only where this machine has what the job will have."""
    builds = submitter.SHARES_FILES and (not checked.plan.settings.resources.gpus or found_gpus() > 0)
    check = checked.targets if builds else replace(checked.targets, trials=())
    check.run_apart()


def _submission(composed: Composed, checked: Checked) -> Submission:
    settings = composed.settings
    name = checked.folder.name if settings.study.name is None else None
    check_composes(arguments_inside(composed.overrides, composed.overrides, name, settings.cluster))
    return Submission(
        arguments=arguments_inside(composed.arguments, composed.overrides, name, settings.cluster),
        study=checked.folder.name,
        folder=checked.folder.path,
        work=Path.cwd(),
        resources=settings.resources,
        slots=checked.capacity.slots,
        cluster=settings.cluster,
    )
