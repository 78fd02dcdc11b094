"""Objects and Pods against the schemas of Kubernetes itself, strictly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

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
            yield from (f"{where} ({version}): {text}" for text in _check(json.dumps(each), version))


def _pod(template: Manifest) -> Manifest:
    metadata = {"name": "pod", **template.get("metadata", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@cache  # most objects are the same in all tests, and each schema is read from files again
def _check(text: str, version: str) -> list[str]:
    try:
        kubernetes_validate.validate(json.loads(text), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message[:300]}"]
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
        return [str(error)]
    return []
