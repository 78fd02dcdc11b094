"""What watches the objective by name watches one metric: which one, the user has to say where there is a list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from raytune_nn.config.objective import Objective
from raytune_nn.errors import ConfigError

KEYS = ("monitor", "mode")
REFERENCE = re.compile(r"\$\{objective\.(metric|mode)\}")


def check_monitors(objective: Objective, config: Mapping[str, Any], branches: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks that no ``monitor`` or ``mode``, as of early stopping, is the whole list of ``objective``.

    Args:
        config: Plain, interpolations unresolved.
        branches: What each option of a chosen group composes to.

    Raises:
        ConfigError: One is; the message names the first metric in its place.
    """
    lists = {key for key in ("metric", "mode") if isinstance(config["objective"][key], list)}
    options = [(group, option) for group, trees in branches.items() for option in trees.values()]
    found = dict(leaf for above, tree in [("", config), *options] for leaf in _references(tree, above))
    words = {"metric": objective.metric, "mode": objective.goals[0].mode}
    fixes = [f"{path}={words[key]}" for path, key in found.items() if key in lists]
    if fixes:
        raise ConfigError(
            "where objective.metric is a list, what watches it must name one of its metrics",
            ", ".join(path for path, key in found.items() if key in lists),
            " ".join(fixes),
        )


def _references(tree: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    """The paths that hold such a reference, and what it refers to."""
    for key, entry in tree.items():
        path = f"{above}.{key}" if above else key
        if isinstance(entry, Mapping):
            yield from _references(entry, path)
        elif key in KEYS and isinstance(entry, str) and (reference := REFERENCE.fullmatch(entry)):
            yield path, reference[1]
