"""Types, meaning and units of the keys that only a submitter knows: an option of ``cluster`` that hands in a job.

``cluster.submitter`` in the option's file says which of these classes types it; the other options have no such key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from omegaconf import MISSING

from raytune_nn.config.schema import ClusterConfig
from raytune_nn.errors import ConfigError


@dataclass
class SubmitterConfig(ClusterConfig):
    """What all submitters have; ``cpus`` and ``gpus`` are the most that the study may use of the job."""

    submitter: str = MISSING  # name of the submitter
    dry_run: bool = MISSING  # print what would be handed in, and hand nothing in


@dataclass
class SlurmConfig(SubmitterConfig):
    """A batch job of SLURM, with one Ray node on each of its nodes."""

    nodes: int = MISSING
    cpus_per_node: int = MISSING  # cores, all of which Ray hands out
    gpus_per_node: int = MISSING
    memory_per_node: float | None = MISSING  # GiB; null: the partition's default
    hours: float = MISSING  # of wall time, for each attempt
    partition: str | None = MISSING  # these three: null for the user's default
    account: str | None = MISSING
    qos: str | None = MISSING
    sbatch: dict[str, Any] = MISSING  # further options of sbatch by their long names; null: one without a value
    setup: list[str] = MISSING  # lines of bash, run on the first node before all else; what they export, all nodes get
    python: str | None = MISSING  # the interpreter on the nodes; null: the one of this command
    temporary: str = MISSING  # folder on each node's own disk, for Ray's files
    start_seconds: int = MISSING  # in which Ray must have started on all nodes
    signal_seconds: int = MISSING  # before the end of its time, when the job begins to save and to end
    requeue: bool = MISSING  # whether a job that was cut off goes back to the queue


@dataclass
class KubeRayConfig(SubmitterConfig):
    """A RayJob of KubeRay: a head Pod with the driver, and worker Pods with the trials."""

    image: str = MISSING  # of all Pods, with a tag; holds this package, your modules and your data
    namespace: str = MISSING
    claim: str | None = MISSING  # PersistentVolumeClaim that becomes the study storage; null: none, where that is a URL
    secret: str | None = MISSING  # Secret whose keys the Pods have as environment variables
    min_workers: int = MISSING  # worker Pods that the job begins with
    max_workers: int = MISSING  # worker Pods up to which Ray's autoscaler may go
    worker_cpus: int = MISSING  # of a worker Pod
    worker_gpus: int = MISSING  # NVIDIA's, of a worker Pod
    worker_memory: float = MISSING  # GiB of a worker Pod, in which Ray itself takes about one
    head_cpus: float = MISSING  # of the head Pod, which runs no trial
    head_memory: float = MISSING  # GiB
    retries: int = MISSING  # times that a job which failed gets a new cluster, and resumes
    start_minutes: float = MISSING  # in which the Pods must be there, or the job fails
    max_hours: float = MISSING  # after which Kubernetes ends the job, however far the study is
    node_selector: dict[str, str] = MISSING  # labels of the nodes for worker Pods
    tolerations: dict[str, dict[str, Any]] = MISSING  # any name -> a toleration of worker Pods


SUBMITTERS: Mapping[str, type[SubmitterConfig]] = {"slurm": SlurmConfig, "kuberay": KubeRayConfig}


def cluster_type(cluster: Any) -> type[ClusterConfig]:
    """The class that types a composed ``cluster``.

    Raises:
        ConfigError: It names a submitter that does not exist.
    """
    name = cluster.get("submitter") if isinstance(cluster, Mapping) else None
    if name is None:
        return ClusterConfig
    if name not in SUBMITTERS:
        known = ", ".join(SUBMITTERS)
        raise ConfigError(f"cluster.submitter must be one of {known}", name, f"cluster={next(iter(SUBMITTERS))}")
    return SUBMITTERS[name]


def owner_of(key: str) -> str | None:
    """The first submitter that has a key of ``cluster`` which the options to run on have not; None where none has."""
    shared = {field.name for field in fields(ClusterConfig)}
    has = {name: {field.name for field in fields(each)} - shared for name, each in SUBMITTERS.items()}
    return next((name for name, keys in has.items() if key in keys), None)
