"""The RayJob for one command, and the ConfigMap of its config dir, as Kubernetes takes them."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import yaml

from raytune_nn.cluster.submit.config_map import config_map, read_config_dir, take_config_dir
from raytune_nn.cluster.submit.kuberay_pods import (
    CONF,
    PART_OF,
    STUDIES,
    Manifest,
    autoscaler_options,
    head_template,
    submitter_template,
    worker_template,
)
from raytune_nn.cluster.submit.submission import Submission
from raytune_nn.config.submitters import KubeRayConfig
from raytune_nn.errors import ConfigError

STUDY, COMMAND = "raytune-nn/study", "raytune-nn/command"  # annotations
LONGEST = 47  # characters of a RayJob's name; KubeRay appends to it
_OBJECT_STORE = 10**8  # bytes of memory for Ray's objects, by default a third of a Pod's; trials share little by them


class _Plain(yaml.SafeDumper):
    """For people to read: no anchors, and several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def render(submission: Submission) -> str:
    """The objects as one YAML text.

    Raises:
        ConfigError: The studies have no place, or the config dir is too large.
    """
    cluster: KubeRayConfig = submission.cluster
    name = job_name(submission.study)
    arguments, folder = take_config_dir(_arguments(submission), CONF)
    labels = {**PART_OF, "app.kubernetes.io/instance": name}
    objects, source = [], None
    if folder is not None:
        data, items = read_config_dir(submission.work / folder)
        objects = [config_map(name, cluster.namespace, labels, data)]
        source = {"name": name, "items": items}
    objects.append(
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {
                "name": name,
                "namespace": cluster.namespace,
                "labels": labels,
                "annotations": {
                    STUDY: submission.study,
                    COMMAND: command_of(submission),
                },
            },
            "spec": _spec(cluster, arguments, labels, source),
        }
    )
    return yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=1000, allow_unicode=True)


def job_name(study: str) -> str:
    """The RayJob's: the study's where that is a DNS label, else made of it, and another for each study."""
    name = re.sub("[^a-z0-9]+", "-", study.lower()).strip("-")
    name = name if name[:1].isalpha() else f"study-{name}".strip("-")
    if name == study and len(name) <= LONGEST:
        return name
    mark = hashlib.sha256(study.encode()).hexdigest()[:6]
    return f"{name[: LONGEST - len(mark) - 1].strip('-')}-{mark}"


def command_of(submission: Submission) -> str:
    """What the job is to run, by which one that runs already is known again."""
    return shlex.join(["python", "-m", "raytune_nn", *submission.arguments])


def entrypoint(arguments: Sequence[str]) -> str:
    """The command line that reaches the driver argument by argument.

    A shell of the submitter takes it apart, and Ray quotes the parts again for a shell on the head. Before that,
    Kubernetes reads `$(NAME)` as a variable, and `$$` as `$`.
    """
    return shlex.join(["python", "-m", "raytune_nn", *arguments]).replace("$", "$$")


def _arguments(submission: Submission) -> list[str]:
    """As typed, but the storage is where the Pods see it, and the cluster is the one that the driver is on."""
    joined = [*_growth(submission), "cluster.address=auto"]
    places = [text.partition("=")[2] for text in submission.arguments if text.startswith("study.storage=")]
    if places and "://" in places[-1]:
        return [*submission.arguments, *joined]
    if submission.cluster.claim is None:
        raise ConfigError(
            "a job's studies must have a place that outlives its Pods",
            f"cluster.claim=null, study.storage={places[-1] if places else 'not given'}",
            "cluster.claim=raytune-nn-studies",
        )
    kept = [text for text in submission.arguments if not text.startswith("study.storage=")]
    return [*kept, f"study.storage={STUDIES}", *joined]


def _growth(submission: Submission) -> list[str]:
    """Where nothing else was typed, a study begins with the first workers, and has room on all that may come."""
    cluster: KubeRayConfig = submission.cluster
    first = [f"cluster.min_nodes={cluster.min_workers}"] if cluster.min_nodes is None else []
    scales = cluster.max_workers > cluster.min_workers and cluster.max_slots is None
    return [*first, *([f"cluster.max_slots={submission.slots}"] if scales else [])]


def _spec(cluster: KubeRayConfig, arguments: Sequence[str], labels: Manifest, source: Manifest | None) -> Manifest:
    """A job that failed gets a new cluster, which runs the same command: it resumes the study of that name."""
    return {
        "submissionMode": "K8sJobMode",
        "entrypoint": entrypoint(arguments),
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": 60,  # for whoever follows the log
        "preRunningDeadlineSeconds": math.ceil(cluster.start_minutes * 60),
        "activeDeadlineSeconds": math.ceil(cluster.max_hours * 3600),
        "backoffLimit": cluster.retries,
        "submitterPodTemplate": submitter_template(cluster, labels),
        "rayClusterSpec": _ray_cluster(cluster, labels, source),
    }


def _ray_cluster(cluster: KubeRayConfig, labels: Manifest, source: Manifest | None) -> Manifest:
    scales = cluster.max_workers > cluster.min_workers
    store = {"object-store-memory": str(_OBJECT_STORE)}
    workers = {"num-cpus": str(cluster.worker_cpus), "num-gpus": str(cluster.worker_gpus)}
    return {
        "rayVersion": version("ray"),
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": scales,
        **({"autoscalerOptions": autoscaler_options()} if scales else {}),
        "headGroupSpec": {
            "rayStartParams": {"num-cpus": "0", **store},
            "template": head_template(cluster, labels, source, scales),
        },
        "workerGroupSpecs": [
            {
                "groupName": "workers",
                "replicas": cluster.min_workers,
                "minReplicas": cluster.min_workers,
                "maxReplicas": cluster.max_workers,
                "rayStartParams": {**workers, **store},
                "template": worker_template(cluster, labels),
            }
        ],
    }
