"""The command's config dir on its way to the head Pod: a ConfigMap with its YAML files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raytune_nn.errors import ConfigError

LARGEST = 900_000  # bytes of all files; Kubernetes takes a MiB an object
_FLAGS = ("--config-dir", "-cd")


def take_config_dir(arguments: Sequence[str], instead: str) -> tuple[list[str], str | None]:
    """The command line with another config dir in the place of its own, and its own; None where it has none."""
    taken, folder, rest = list[str](), None, iter(arguments)
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if flag in _FLAGS:
            folder = value if equals else next(rest)
            taken += ["--config-dir", instead]
        else:
            taken.append(argument)
    return taken, folder


def read_config_dir(folder: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The data of a ConfigMap, and under which path each key of it is to be mounted: keys have no slashes.

    Raises:
        ConfigError: The files are too large, or one of them is no text.
    """
    data, items = dict[str, str](), list[dict[str, str]]()
    for number, file in enumerate(sorted(folder.rglob("*.yaml"))):
        key = f"{number:03}-{re.sub('[^-._a-zA-Z0-9]', '_', file.name)[-200:]}"
        try:
            data[key] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError("a file of the config dir must be text in UTF-8", file, f"rm {file}") from error
        items.append({"key": key, "path": str(file.relative_to(folder))})
    size = sum(len(text.encode()) for text in data.values())
    if size > LARGEST:
        largest = max(data, key=lambda key: len(data[key]))
        raise ConfigError(
            f"a config dir travels to the job's Pods as one object of Kubernetes, of {LARGEST:,} bytes at most",
            f"{size:,} bytes of YAML in {folder}, most of them in {largest.partition('-')[2]}",
            "--config-dir <a folder with the files of this study alone>",
        )
    return data, items


def config_map(name: str, namespace: str, labels: dict[str, str], data: dict[str, str]) -> dict[str, Any]:
    """The object itself."""
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
