"""A RayJob of KubeRay on Kubernetes: rendered for one command, applied by kubectl, and followed to its end."""

from __future__ import annotations

from collections.abc import Sequence

from raytune_nn.cluster.nodes import Node
from raytune_nn.cluster.submit import kuberay_job
from raytune_nn.cluster.submit.kubectl import Kubectl
from raytune_nn.cluster.submit.kuberay_check import check
from raytune_nn.cluster.submit.kuberay_follow import follow
from raytune_nn.cluster.submit.submission import Submission
from raytune_nn.config.submitters import KubeRayConfig
from raytune_nn.errors import ConfigError

__all__ = ["SHARES_FILES", "check", "planned_nodes", "render", "submit"]

SHARES_FILES = False
render = kuberay_job.render


def planned_nodes(cluster: KubeRayConfig) -> Sequence[Node]:
    """The worker Pods; the head takes no trial."""
    worker = Node("a worker Pod (cluster.worker_…)", cluster.worker_cpus, cluster.worker_gpus, cluster.worker_memory)
    return [worker] * cluster.max_workers


def submit(submission: Submission, text: str) -> None:
    """Applies the job and follows it; one that runs already is followed, one that has ended is replaced.

    Raises:
        ConfigError: The study's job runs, and was submitted by another command.
        UnusableError: kubectl cannot be used, or the job failed.
        RaytuneError: The driver's own error, by its exit code.
    """
    name = kuberay_job.job_name(submission.study)
    kubectl = Kubectl(submission.cluster.namespace)
    found = kubectl.get_job(name)
    if found is not None and not found.has_ended:
        asked = kuberay_job.command_of(submission)
        if found.command != asked:
            rule = "a study has one job at a time, and another command runs it"
            raise ConfigError(rule, f"rayjob/{name}: {found.command}", f"{kubectl.typed('delete', 'rayjob', name)}")
        print(f"rayjob/{name} runs already")
    else:
        if found is not None:
            kubectl.delete_job(name)
        kubectl.apply(text)
    _explain(kubectl, name)
    follow(kubectl, name)


def _explain(kubectl: Kubectl, name: str) -> None:
    """How to watch it and how to stop it, for whoever looks away."""
    rows = {
        "watch": kubectl.typed("get", "rayjob,pods", "-l", f"app.kubernetes.io/instance={name}", "--watch"),
        "log": kubectl.typed("logs", "--follow", f"job/{name}"),
        "tensorboard": kubectl.typed("port-forward", "service/tensorboard", "6006"),
        "stop": f"{kubectl.typed('delete', 'rayjob', name)}   (the same command resumes)",
    }
    print("\n".join(f"{label:<11} {command}" for label, command in rows.items()), flush=True)
