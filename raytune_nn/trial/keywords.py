"""Whether what is called takes the keywords that it is given; a part of ``trial/targets.py``."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.trial.instantiate import RESERVED

# Keys of Lightning's scheduler dictionary; it only warns of others.
_SCHEDULE = ("scheduler", "interval", "frequency", "monitor", "strict", "name", "reduce_on_plateau")


def check_keywords(path: str, target: Any, node: Mapping[str, Any], extras: Sequence[str]) -> None:
    """Checks the keywords of a target node by the signature of its target.

    Args:
        path: Where the node stands.
        extras: Keywords that our own code adds.

    Raises:
        ConfigError: The first rule that is broken.
    """
    if not callable(target):
        raise ConfigError(f"{path}._target_ must be callable", node["_target_"], f"{path}._target_=<a class>")
    try:
        signature = inspect.signature(target)
    except ValueError:  # written in C, without a signature
        return
    given = [key for key in node if key not in RESERVED]
    for key in given:
        if key in extras:
            raise ConfigError(f"{path}.{key} is set by the tuner itself", node[key], f"~{path}.{key}")
    _check_names(path, signature, node, given)
    bind = signature.bind_partial if node.get("_partial_") else signature.bind
    try:
        bind(*node.get("_args_", ()), **dict.fromkeys([*given, *extras]))
    except TypeError as error:
        missing = re.search(r"missing a required .*argument: '(\w+)'", str(error))
        if missing is None:
            raise ConfigError(f"{path} must fit {node['_target_']}", error, f"~{path}._args_") from None
        raise ConfigError(
            f"{path} must give {missing[1]!r}, which {node['_target_']} needs", None, f"+{path}.{missing[1]}=…"
        ) from None


def _check_names(path: str, signature: inspect.Signature, node: Mapping[str, Any], given: Sequence[str]) -> None:
    parameters = signature.parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for key in given:
        if key not in named:
            near = difflib.get_close_matches(key, named, n=1)
            raise ConfigError(
                f"{path}.{key} must be a keyword of {node['_target_']}",
                f"{key}; it takes {', '.join(named) or 'none'}",
                f"{path}.{near[0]}={node[key]}" if near else f"~{path}.{key}",
            )


def check_schedule(lr_scheduler: Mapping[str, Any]) -> None:
    """Checks what stands beside ``lr_scheduler.scheduler``, which is Lightning's to read.

    Raises:
        ConfigError: An unknown key, or an interval that is neither epoch nor step.
    """
    for key in lr_scheduler:
        if key not in _SCHEDULE:
            near = difflib.get_close_matches(key, _SCHEDULE, n=1)
            raise ConfigError(
                f"lr_scheduler.{key} must be a key that Lightning knows",
                f"{key}; it knows {', '.join(_SCHEDULE)}",
                f"+lr_scheduler.{near[0]}={lr_scheduler[key]}" if near else f"~lr_scheduler.{key}",
            )
    interval = lr_scheduler.get("interval", "epoch")
    if interval not in ("epoch", "step"):
        raise ConfigError("lr_scheduler.interval must be epoch or step", interval, "lr_scheduler.interval=epoch")
