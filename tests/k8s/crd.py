"""A RayJob against KubeRay's own definition, more strictly than a cluster does it: unknown fields are errors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_expr_python import cel
from jsonschema import Draft202012Validator

_ENVIRONMENT = cel.NewEnv(variables={"self": cel.Type.DYN})


def problems(job: Mapping[str, Any]) -> Iterator[str]:
    """What the definition does not allow."""
    schema, validator = _definition()
    for error in validator.iter_errors(job):
        yield f"{error.json_path}: {error.message[:300]}"
    yield from broken_rules(schema, job, "$")


def broken_rules(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    """The rules in CEL that a value breaks; those that compare with a value before are for changes only."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"] and not _expression(rule["rule"]).eval(data={"self": value}).value():
            yield f"{where}: {rule['message']}"
    if isinstance(value, dict):
        for key, inner in value.items():
            below = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if isinstance(below, dict):
                yield from broken_rules(below, inner, f"{where}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from broken_rules(schema.get("items", {}), inner, f"{where}[{number}]")


@cache
def _definition() -> tuple[dict[str, Any], Draft202012Validator]:
    shared = Path(os.environ.get("RAYTUNE_NN_SHARED") or Path(__file__).parents[3] / "shared")
    path = shared / "kuberay-crds/ray.io_rayjobs.yaml"
    if not path.exists():
        pytest.skip(f"KubeRay's definitions are absent: {path} (RAYTUNE_NN_SHARED names another folder)")
    versions = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]["versions"]
    schema = next(each["schema"]["openAPIV3Schema"] for each in versions if each["name"] == "v1")
    return schema, Draft202012Validator(strict(schema))


@cache
def _expression(rule: str) -> Any:
    return _ENVIRONMENT.compile(rule)


def strict(schema: Any) -> Any:
    """A copy that allows no unknown field, and does not want what has a default."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: strict(value) for key, value in schema.items()}
    fields = schema.get("properties")
    if not isinstance(fields, dict) or schema.get("type") != "object":
        return copy
    if not schema.get("x-kubernetes-preserve-unknown-fields"):
        copy.setdefault("additionalProperties", False)
    if "required" in schema:
        copy["required"] = [key for key in schema["required"] if "default" not in fields.get(key, {})]
    return copy
