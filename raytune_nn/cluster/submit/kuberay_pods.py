"""The Pods of a RayJob: what each may use and write, and how it ends.

They are what Kubernetes calls restricted, with a root file system that nobody writes to. KubeRay adds to them: the
command that starts Ray, probes, the token of the cluster, and memory for Ray's objects at /dev/shm.
"""

from __future__ import annotations

import math
from typing import Any

from raytune_nn.config.submitters import KubeRayConfig

Manifest = dict[str, Any]

STUDIES = "/studies"  # where Pods see the claim
CONF = "/etc/raytune-nn/conf"  # where the head sees the command's config dir
PART_OF = {"app.kubernetes.io/part-of": "raytune-nn"}
ACCOUNT, HEAD_ACCOUNT = "raytune-nn", "raytune-nn-head"  # of k8s/base/accounts.yaml
USER = 1000  # of k8s/Dockerfile
CLOSE_SECONDS = 10  # for the end of a driver, beyond its grace

_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
_TMP = {"name": "tmp", "mountPath": "/tmp"}
_ENVIRONMENT = {"RAYTUNE_NN_CACHE": "/tmp/raytune_nn", "RAY_USAGE_STATS_ENABLED": "0"}

# The driver is a job of Ray, which a Pod's SIGTERM does not reach. Its trials save their states on workers that are
# still there, it ends with exit code 75, and the job that failed is tried again.
END_DRIVER = """\
drivers=$(grep -lzxs '[r]aytune_nn' /proc/[0-9]*/cmdline | cut -d/ -f3)
if [ -n "$drivers" ]; then
    kill -TERM $drivers
    while kill -0 $drivers 2>/dev/null; do sleep 0.5; done
fi
ray stop
"""


def container_security() -> Manifest:
    """Of each container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def head_template(cluster: KubeRayConfig, labels: Manifest, config_map: Manifest | None, scales: bool) -> Manifest:
    """The Pod with Ray's head and the driver.

    Args:
        labels: Of all objects of the job.
        config_map: Volume source of the config dir; None: the command has none.
        scales: Whether KubeRay puts the autoscaler beside the head; it alone gets a token for Kubernetes.
    """
    container = _ray_container("ray-head", cluster, cluster.head_cpus, cluster.head_memory, 0, END_DRIVER)
    container["env"].append({"name": "RAY_JOB_STOP_WAIT_TIME_S", "value": str(_seconds(cluster))})
    container["ports"] = [
        {"name": "gcs-server", "containerPort": 6379},
        {"name": "dashboard", "containerPort": 8265},
        {"name": "client", "containerPort": 10001},
    ]
    volumes = _volumes(cluster)
    if config_map is not None:
        container["volumeMounts"].append({"name": "conf", "mountPath": CONF, "readOnly": True})
        volumes.append({"name": "conf", "configMap": config_map})
    if scales:
        volumes.append({"name": "kubernetes-token", "projected": _kubernetes_token()})
    return _template("head", labels, HEAD_ACCOUNT, cluster, container, volumes)


def worker_template(cluster: KubeRayConfig, labels: Manifest) -> Manifest:
    """A Pod in which trials run; where the driver is told to end as well, it stays until their states are saved."""
    end = f"sleep {_seconds(cluster)}; ray stop"
    sizes = cluster.worker_cpus, cluster.worker_memory, cluster.worker_gpus
    template = _template("worker", labels, ACCOUNT, cluster, _ray_container("ray-worker", cluster, *sizes, end))
    if cluster.node_selector:
        template["spec"]["nodeSelector"] = dict(cluster.node_selector)
    if cluster.tolerations:
        template["spec"]["tolerations"] = [dict(each) for each in cluster.tolerations.values()]
    return template


def submitter_template(cluster: KubeRayConfig, labels: Manifest) -> Manifest:
    """The Pod that hands the job to the head and follows its log; KubeRay puts the command in."""
    container = {
        "name": "ray-job-submitter",
        "image": cluster.image,
        "resources": _resources(0.5, 1),
        "securityContext": container_security(),
        "volumeMounts": [dict(_TMP)],
    }
    template = _template("submitter", labels, ACCOUNT, cluster, container, [{"name": "tmp", "emptyDir": {}}])
    del template["spec"]["terminationGracePeriodSeconds"]  # it has nothing to save
    return template


def autoscaler_options() -> Manifest:
    """The container that asks Kubernetes for workers."""
    return {
        "version": "v2",
        "idleTimeoutSeconds": 120,
        "resources": _resources(0.5, 1),
        "securityContext": container_security(),
        "volumeMounts": [{"name": "kubernetes-token", "mountPath": _TOKEN, "readOnly": True}, dict(_TMP)],
    }


def _ray_container(name: str, cluster: KubeRayConfig, cpus: float, memory: float, gpus: int, end: str) -> Manifest:
    container: Manifest = {
        "name": name,
        "image": cluster.image,
        "env": [{"name": key, "value": value} for key, value in _ENVIRONMENT.items()],
        "resources": _resources(cpus, memory, gpus),
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/bash", "-c", end]}}},
        "securityContext": container_security(),
        "volumeMounts": [dict(_TMP)],
    }
    if cluster.secret is not None:
        container["envFrom"] = [{"secretRef": {"name": cluster.secret}}]
    if cluster.claim is not None:
        container["volumeMounts"].append({"name": "studies", "mountPath": STUDIES})
    return container


def _volumes(cluster: KubeRayConfig) -> list[Manifest]:
    volumes: list[Manifest] = [{"name": "tmp", "emptyDir": {}}]
    if cluster.claim is not None:
        volumes.append({"name": "studies", "persistentVolumeClaim": {"claimName": cluster.claim}})
    return volumes


def _template(
    component: str,
    labels: Manifest,
    account: str,
    cluster: KubeRayConfig,
    container: Manifest,
    volumes: list[Manifest] | None = None,
) -> Manifest:
    return {
        "metadata": {"labels": {**labels, "app.kubernetes.io/component": component}},
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": _seconds(cluster) + CLOSE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": _volumes(cluster) if volumes is None else volumes,
        },
    }


def _resources(cpus: float, memory: float, gpus: int = 0) -> Manifest:
    """Memory is what it is: a Pod that hopes for more is killed. CPUs are its own, and more where others leave some."""
    amount = {"memory": gibibytes(memory)}
    limits = amount | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    return {"requests": {"cpu": f"{cpus:g}", **limits}, "limits": limits}


def gibibytes(amount: float) -> str:
    """As Kubernetes writes it."""
    return f"{amount:.0f}Gi" if amount == int(amount) else f"{math.ceil(amount * 1024)}Mi"


def _seconds(cluster: KubeRayConfig) -> int:
    return math.ceil(cluster.grace_seconds)


def _kubernetes_token() -> Manifest:
    """What Kubernetes mounts at ``_TOKEN`` by itself where an account hands its token to every container."""
    return {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]
    }
