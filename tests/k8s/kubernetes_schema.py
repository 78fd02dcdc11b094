"""Objects and Pods against the schemas of Kubernetes itself, strictly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
from manifests import Manifest, pods

VERSIONS = ("1.30", "1.37")  # the oldest that the manifests are for, and the newest with a schema here
THEIRS = ("RayJob",)  # kinds that Kubernetes does not know


def problems(objects: list[Manifest]) -> Iterator[str]:
    """What the schemas do not allow; a RayJob's Pods stand for it."""
    known = [(f"{each['kind']}/{each['metadata']['name']}", each) for each in objects if each["kind"] not in THEIRS]
    alone = [(where, _pod(template)) for where, template in pods(objects)]
    for where, each in [*known, *alone]:
        for version in VERSIONS:
            yield from (f"{where} ({version}): {text}" for text in _check(each, version))


def _pod(template: Manifest) -> Manifest:
    metadata = {"name": "pod", **template.get("metadata", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _check(data: dict[str, Any], version: str) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            kubernetes_validate.validate(data, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message[:300]}"
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
        yield str(error)
