"""Stops a trial of a study that runs, or all of it, from another process or machine."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

from raytune_nn.config.compose import Composed
from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.modes.existing import find_trial, open_existing, read_again
from raytune_nn.report.commands import commands, list_command
from raytune_nn.report.tables import named_results
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.lease import Lease, holder_of, named
from raytune_nn.store.record import BY_HAND, StudyRecord
from raytune_nn.store.stop_requests import STUDY, StopRequests

ANSWER_SECONDS = 70.0  # for the driver to hear a request: on a share it may see new files only after a minute
PATIENCE_SECONDS = 5.0  # without an answer, after which the wait is explained
JOURNAL_SECONDS = 5.0  # for what it then writes to be seen from here
PAUSE_SECONDS = 0.2  # between two looks; on an object store 1


def stop(composed: Composed) -> None:
    """Asks the driver of ``study.name`` to stop ``study.trial``, or the study, and says what it answers.

    A trial at work ends at its next report as stopped; the study ends as by a SIGTERM to its driver.

    Raises:
        ConfigError: There is no such study or trial, the study does not run, or the trial has ended.
        UnusableError: The driver does not answer; the request is taken back.
    """
    folder, record = open_existing(composed)
    _check_runs(folder, record)
    wanted = composed.settings.study.trial
    if wanted is not None:
        trial = find_trial(record, wanted)
        if trial.ended:
            rule = "study.trial must be a trial that has not ended"
            raise ConfigError(rule, f"trial {wanted} is {trial.state}", "another study.trial")
    if _asked(folder, wanted or STUDY):
        print(_of_study(folder, record) if wanted is None else _of_trial(folder, record, wanted))
        return
    record = read_again(folder, record)
    _check_runs(folder, record)
    raise UnusableError(
        "the driver of a study must answer",
        f"not within {ANSWER_SECONDS:g} s: {named(_lease(folder))}",
        "the same command again, or kill -TERM and its pid on its machine",
    )


def _check_runs(folder: StudyFolder, record: StudyRecord) -> None:
    """Raises a ConfigError where the study does not run."""
    rule = "mode=stop wants a study that runs"
    if record.status != "running":
        raise ConfigError(rule, f"{folder.name} is {record.status}", list_command(folder))
    block = _lease(folder)
    holder = holder_of(block)
    if not block.strip() or (holder is not None and holder.lives is False):
        resume, _ = commands(folder, str(record.study.get("command", "")))
        raise ConfigError(
            rule, f"the driver of {folder.name} is gone without a word", f"{resume}, which goes on with it"
        )


def _lease(folder: StudyFolder) -> bytes:
    """What says who has the study; empty where nobody has."""
    path = folder.path / Lease.name
    with usable(folder.shown(path)):
        folder.files.fetch(path)
        return path.read_bytes() if path.exists() else b""


def _asked(folder: StudyFolder, what: str) -> bool:
    """Leaves a request; returns whether the driver has taken it in time."""
    requests = StopRequests(folder)
    with usable(folder.place):
        requests.ask(what)
    try:
        if _comes(lambda: not requests.waits(what), PATIENCE_SECONDS, folder):
            return True
        print(f"waiting up to {ANSWER_SECONDS:g} s for the driver's answer", file=sys.stderr)
        return _comes(lambda: not requests.waits(what), ANSWER_SECONDS - PATIENCE_SECONDS, folder)
    finally:
        with contextlib.suppress(OSError):
            requests.take(what)


def _comes(condition: Callable[[], bool], seconds: float, folder: StudyFolder) -> bool:
    end = time.monotonic() + seconds
    with usable(folder.place):
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(1.0 if folder.url else PAUSE_SECONDS)
    return True


def _of_study(folder: StudyFolder, record: StudyRecord) -> str:
    resume, _ = commands(folder, str(record.study.get("command", "")))
    ends = "the study ends: trials that run save their states, and its driver leaves with exit code 75"
    return f"{ends}\n\n{'resume':<12}{resume}"


def _of_trial(folder: StudyFolder, record: StudyRecord, id: str) -> str:
    """What has become of it by now."""

    def is_known() -> bool:
        nonlocal record
        record = read_again(folder, record)
        return record.trials[id].stop_asked or record.trials[id].ended

    _comes(is_known, JOURNAL_SECONDS, folder)
    trial = record.trials[id]
    if not trial.ended:
        return f"trial {id} ends at its next report"
    how = f"trial {id} is {trial.state}" + (f" {BY_HAND}" if trial.reason == BY_HAND else "")
    return how if trial.value is None else f"{how}: {named_results(trial, record)} at epoch {trial.value_epoch}"
