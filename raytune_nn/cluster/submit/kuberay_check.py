"""The keys of ``cluster=kuberay``, each checked by itself before anything is rendered."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.config.submitters import KubeRayConfig
from raytune_nn.errors import ConfigError

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # DNS label
_NAME = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")  # DNS subdomain
_IMAGE = re.compile(r"(?P<name>[^\s:@]+(:\d+/[^\s:@]+)?)(:(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?")
_KEY = re.compile(rf"({_NAME.pattern}/)?[A-Za-z0-9]([-._A-Za-z0-9]{{0,61}}[A-Za-z0-9])?")  # of a label
_VALUE = re.compile(r"([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")
_TOLERATION: Mapping[str, tuple[str, ...] | None] = {  # and what it may be; None: any text
    "key": None,
    "operator": ("Exists", "Equal"),
    "value": None,
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
}


def check(cluster: KubeRayConfig, resources: ResourcesConfig) -> None:
    """Checks the keys that only KubeRay has; whether a trial fits is asked of all places that take jobs.

    Raises:
        ConfigError: The first rule that is broken.
    """
    _check_image(cluster.image)
    if not LABEL.fullmatch(cluster.namespace):
        rule = "cluster.namespace must be a DNS label: lower-case letters, digits and -, 63 characters at most"
        raise ConfigError(rule, cluster.namespace, f"cluster.namespace={_as_label(cluster.namespace)}")
    for key in ("claim", "secret"):
        name = getattr(cluster, key)
        if name is not None and not (_NAME.fullmatch(name) and len(name) <= 253):
            rule = f"cluster.{key} must be the name of an object of Kubernetes: lower-case letters, digits, - and ."
            raise ConfigError(rule, name, f"cluster.{key}={_as_label(name)}")
    _check_sizes(cluster)
    _check_placement(cluster)


def _check_image(image: str) -> None:
    found = _IMAGE.fullmatch(image)
    if found is None or not (found["tag"] or found["digest"]):
        name = found["name"] if found else "raytune-nn"
        raise ConfigError("cluster.image must be an image with a tag", image, f"cluster.image={name}:0.1.0")
    if found["tag"] == "latest" and not found["digest"]:
        rule = "cluster.image must be a version: with latest, a retry could run another program"
        raise ConfigError(rule, image, f"cluster.image={found['name']}:0.1.0")


def _check_sizes(cluster: KubeRayConfig) -> None:
    least = {"min_workers": 1, "worker_cpus": 1, "worker_gpus": 0, "worker_memory": 2, "head_memory": 2, "retries": 1}
    for key, smallest in least.items():
        amount = getattr(cluster, key)
        if not smallest <= amount < math.inf:
            raise ConfigError(f"cluster.{key} must be at least {smallest}", amount, f"cluster.{key}={smallest}")
    for key, usual in (("head_cpus", 2), ("start_minutes", 30), ("max_hours", 168)):
        amount = getattr(cluster, key)
        if not 0 < amount < math.inf:
            raise ConfigError(f"cluster.{key} must be greater than 0", amount, f"cluster.{key}={usual}")
    if cluster.max_workers < cluster.min_workers:
        found = f"cluster.min_workers={cluster.min_workers}, cluster.max_workers={cluster.max_workers}"
        rule = "cluster.max_workers must be cluster.min_workers or more"
        raise ConfigError(rule, found, f"cluster.max_workers={cluster.min_workers}")


def _check_placement(cluster: KubeRayConfig) -> None:
    for key, value in cluster.node_selector.items():
        if not (_KEY.fullmatch(key) and _VALUE.fullmatch(value)):
            rule = "cluster.node_selector must hold labels of nodes: [<domain>/]<name>: <value>"
            raise ConfigError(rule, f"{key}: {value}", "'+cluster.node_selector={cloud.google.com/gke-spot: \"true\"}'")
    for name, toleration in cluster.tolerations.items():
        for key, value in toleration.items():
            _check_toleration(name, key, value)


def _check_toleration(name: str, key: str, value: Any) -> None:
    path = f"cluster.tolerations.{name}.{key}"
    if key not in _TOLERATION:
        known = ", ".join(_TOLERATION)
        raise ConfigError(f"a toleration has the keys {known}", path, f"~{path}")
    allowed = _TOLERATION[key]
    if not isinstance(value, str):
        raise ConfigError(f"{path} must be text, as it is in Kubernetes", value, f"'{path}=\"{str(value).lower()}\"'")
    if allowed is not None and value not in allowed:
        raise ConfigError(f"{path} must be one of {', '.join(allowed)}", value, f"{path}={allowed[0]}")


def _as_label(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "raytune-nn"
