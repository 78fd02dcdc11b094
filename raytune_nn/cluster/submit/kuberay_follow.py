"""A RayJob on its way: its phases, the driver's log, and how it ended."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from raytune_nn.cluster.submit.kubectl import Job, Kubectl
from raytune_nn.errors import (
    ConfigError,
    InterruptedStudyError,
    NoSuccessfulTrialError,
    RaytuneError,
    UnusableError,
)

POLL_SECONDS = 3.0
_KNOWN = (ConfigError, NoSuccessfulTrialError, UnusableError, InterruptedStudyError)


def follow(kubectl: Kubectl, name: str) -> None:
    """Prints what happens until the job has ended; Ctrl-C looks away, and the job goes on.

    Raises:
        RaytuneError: It ended without success: the driver's own error where its exit code is known.
    """
    try:
        job = _watch(kubectl, name)
    except KeyboardInterrupt:
        print(f"\nrayjob/{name} goes on")
        return
    if job is None:
        print(f"rayjob/{name} was deleted")
    elif job.status != "SUCCEEDED":
        raise _error(kubectl, name, job)


def _watch(kubectl: Kubectl, name: str) -> Job | None:
    """The job at its end; None: somebody deleted it."""
    shown, phase = None, ""
    while (job := kubectl.get_job(name)) is not None:
        if job.deployment != phase:
            phase = job.deployment
            print(f"rayjob/{name}: {phase}", flush=True)
        if job.has_ended:
            return job
        if phase == "Running":
            kubectl.follow_log(name, shown)
            shown = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        time.sleep(POLL_SECONDS)
    return None


def _error(kubectl: Kubectl, name: str, job: Job) -> RaytuneError:
    code = re.search(r"exit code (\d+)", job.message)
    kind = {error.exit_code: error for error in _KNOWN}.get(int(code[1]) if code else 0, UnusableError)
    rule = f"the job must succeed; it ended as {job.deployment}, the driver as {job.status or 'not begun'}"
    return kind(rule, job.message.strip() or "no reason given", kubectl.typed("describe", "rayjob", name))
