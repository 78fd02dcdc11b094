"""Puts sampled values into a configuration."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Tree = dict[str, Any]
Branches = Mapping[str, Mapping[str, Tree]]  # group path -> option -> configuration of that option


def merge_params(config: Mapping[str, Any], branches: Branches, params: Mapping[str, Any]) -> Tree:
    """A copy of the configuration with the sampled values in it; interpolations stay unresolved.

    Args:
        config: The composed base configuration.
        branches: What each option of a chosen group composes to.
        params: Dotted path -> value. A chosen group stands under its own path and replaces that whole subtree before
            any value inside it is set.

    Raises:
        KeyError: A path does not exist; its text is the part that is missing.
    """
    merged: Tree = copy.deepcopy(dict(config))
    for path in sorted(params, key=lambda path: path.count(".")):  # a group comes before what lies in it
        value = params[path]
        if path in branches:
            value = branches[path][value]
        owner, key = _owner(merged, path)
        owner[key] = copy.deepcopy(value)
    return merged


def value_at(config: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path.

    Raises:
        KeyError: The path does not exist; its text is the part that is missing.
    """
    owner, key = _owner(config, path)
    return owner[key]


def _owner(tree: Any, path: str) -> tuple[Any, str]:
    """The mapping that holds the last part of a path, and that part."""
    parts = path.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(tree, Mapping) or part not in tree:
            raise KeyError(".".join(parts[: depth + 1]))
        if depth < len(parts) - 1:
            tree = tree[part]
    return tree, parts[-1]
