"""Manifests as Kubernetes would get them: built by kubectl, and the Pods that come of them."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

K8S = Path(__file__).resolve().parents[2] / "k8s"
OVERLAYS = ("rayjob", "single-node", "spot", "s3")


def kubectl() -> str:
    """The one that is pinned for development; kustomize is a part of it."""
    pinned = Path(sys.executable).with_name("kubectl")
    return str(pinned) if pinned.exists() else shutil.which("kubectl") or "kubectl"


def build(folder: Path) -> list[Manifest]:
    """``kubectl kustomize``: all objects of a folder."""
    ran = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr, ran.stderr  # it warns of what is deprecated
    return [each for each in yaml.load_all(ran.stdout, yaml.CSafeLoader) if each]


@cache
def _overlay(name: str) -> list[Manifest]:
    return build(K8S / "overlays" / name)


def overlay(name: str) -> list[Manifest]:
    """The objects of one overlay, built once; each caller may change them."""
    return copy.deepcopy(_overlay(name))


def with_base(folder: Path, rendered: str) -> list[Manifest]:
    """What was rendered for one command, and k8s/base, by an overlay made in an empty folder."""
    (folder / "rendered.yaml").write_text(rendered)
    base = os.path.relpath(K8S / "base", folder.resolve())
    (folder / "kustomization.yaml").write_text(f"resources: [{base}, rendered.yaml]\n")
    return build(folder)


def of_kind(objects: list[Manifest], kind: str) -> list[Manifest]:
    return [each for each in objects if each["kind"] == kind]


def one(objects: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    """The only one of a kind, or of a name."""
    (found,) = [each for each in of_kind(objects, kind) if name in (None, each["metadata"]["name"])]
    return found


def pods(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every Pod template, as ``kind/name/part`` and the template; the autoscaler stands in the head's."""
    for each in objects:
        spec, where = each.get("spec", {}), f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] in ("Deployment", "Job"):
            yield where, spec["template"]
        elif each["kind"] == "RayJob":
            yield f"{where}/submitter", spec["submitterPodTemplate"]
            yield f"{where}/head", _with_autoscaler(spec["rayClusterSpec"])
            for group in spec["rayClusterSpec"]["workerGroupSpecs"]:
                yield f"{where}/{group['groupName']}", group["template"]


def _with_autoscaler(cluster: Manifest) -> Manifest:
    """As KubeRay puts it beside the head: its options are a container without a name and, as a rule, an image."""
    head: Manifest = cluster["headGroupSpec"]["template"]
    options = cluster.get("autoscalerOptions")
    if not cluster.get("enableInTreeAutoscaling") or options is None or not head["spec"]["containers"]:
        return head
    image = head["spec"]["containers"][0].get("image", "")
    taken = ("resources", "securityContext", "volumeMounts", "env", "envFrom", "image")
    container = {"name": "autoscaler", "image": image} | {key: options[key] for key in taken if key in options}
    return {**head, "spec": {**head["spec"], "containers": [*head["spec"]["containers"], container]}}
