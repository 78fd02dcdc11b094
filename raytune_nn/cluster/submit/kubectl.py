"""kubectl, which knows the user's cluster and credentials."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

from raytune_nn.cluster.submit.kuberay_job import COMMAND
from raytune_nn.errors import UnusableError

ENDED = ("Complete", "Failed", "ValidationFailed")  # deployment states from which a RayJob goes nowhere


@dataclass(frozen=True)
class Job:
    """What Kubernetes knows of a RayJob."""

    deployment: str  # of its Pods: Initializing, Running, Retrying, …; empty before KubeRay has seen it
    status: str  # of the driver: PENDING, RUNNING, SUCCEEDED, FAILED, STOPPED
    message: str
    command: str  # as typed when it was submitted

    @property
    def has_ended(self) -> bool:
        return self.deployment in ENDED


class Kubectl:
    """The few commands that a job takes, all in one namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def typed(self, *arguments: str) -> str:
        """What a user types to do the same."""
        return shlex.join(["kubectl", "-n", self._namespace, *arguments])

    def get_job(self, name: str) -> Job | None:
        """The RayJob of a name; None where there is none."""
        answer = self._run("get", "rayjob", name, "--ignore-not-found", "--output=json")
        if not answer.strip():
            return None
        found: dict[str, Any] = json.loads(answer)
        status = found.get("status") or {}
        deployment, job = status.get("jobDeploymentStatus") or "", status.get("jobStatus") or ""
        command = (found["metadata"].get("annotations") or {}).get(COMMAND, "")
        return Job(deployment, job, status.get("message") or "", command)

    def delete_job(self, name: str) -> None:
        """Deletes a RayJob, and waits until it is gone."""
        self._run("delete", "rayjob", name, "--wait=true")

    def apply(self, text: str) -> None:
        """Creates or changes the objects of a YAML text; on the server, since a ConfigMap may be large."""
        self._run("apply", "--server-side", "--force-conflicts", "--filename=-", text=text)

    def follow_log(self, name: str, since: str | None) -> None:
        """Shows the driver's log until it ends, or kubectl loses it.

        Args:
            since: Time before which it has been shown, as RFC 3339; None: from its beginning.
        """
        seen = [] if since is None else [f"--since-time={since}"]
        subprocess.run(
            ["kubectl", "-n", self._namespace, "logs", "--follow", "--pod-running-timeout=1m", *seen, f"job/{name}"],
            check=False,
            stderr=subprocess.DEVNULL,
        )

    def _run(self, *arguments: str, text: str | None = None) -> str:
        command = ["kubectl", "-n", self._namespace, *arguments]
        try:
            ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        except OSError as error:
            rule = "kubectl must be on the PATH to hand in a job"
            fix = "cluster.dry_run=true, and kubectl apply --server-side -f - where it is"
            raise UnusableError(rule, f"kubectl: {error.strerror}", fix) from error
        if ran.returncode:
            words = ran.stderr.strip() or f"exit code {ran.returncode}"
            raise UnusableError("Kubernetes must take the job", words, f"{shlex.join(command[:3])} get rayjobs")
        return ran.stdout
