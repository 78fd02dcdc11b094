"""From an exception on the way to the first batch to what the user has to mend; a part of ``trial/rehearsal.py``."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback

from raytune_nn.errors import ConfigError
from raytune_nn.trial.isolation import LIBRARIES

PACKAGE = str(Path(__file__).parents[1])
RULES = {  # what each part must do
    "data": "the data must load",
    "model": "the model must be built",
    "init": "the initialisation must fit the model",
    "optimizer": "optimizer and schedule must be built on the model's parameters",
    "callbacks": "the callbacks must be built, and fit model and data",
    "logger": "the logger must be built",
    "trainer": "the trainer must be built, and take the model",
    "batch": "the model must take a batch of the data",
}
_GROUPS = {"optimizer": ("optimizer", "lr_scheduler", "param_groups")}  # of the configuration; others are one group
_BESIDE = ("data", "trainer", "lr_scheduler", "optimizer")  # what a callback may refuse


def blame(error: BaseException, part: str, config: Mapping[str, Any]) -> ConfigError:
    """The error in the words of the configuration.

    Args:
        error: What was raised.
        part: A key of ``RULES``: what was at work.
        config: A trial's configuration, interpolations unresolved.
    """
    frames = traceback.extract_tb(error.__traceback__)
    callback = _callback(error, config)
    if callback is not None:
        return ConfigError(RULES["callbacks"], _found(error, frames), _fix(error, f"callbacks.{callback}", config))
    if isinstance(error, MisconfigurationException):
        part = "trainer"
    elif any(frame.name == "configure_optimizers" for frame in frames):
        part = "optimizer"
    return ConfigError(RULES[part], _found(error, frames), _fix(error, part, config))


def _callback(error: BaseException, config: Mapping[str, Any]) -> str | None:
    """The configured callback in which it was raised, by its name; None where it was in none."""
    nodes = {name: node for name, node in (config.get("callbacks") or {}).items() if node}
    names = {node["_target_"].rpartition(".")[2]: name for name, node in nodes.items()}
    kinds = [type(frame.f_locals.get("self")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    found = [kind.__name__ for kind in kinds if issubclass(kind, Callback) and kind.__name__ in names]
    return names[found[-1]] if found else None


def _found(error: BaseException, frames: traceback.StackSummary) -> str:
    """The message alone where it is one of ours, which names file and row; else with the user's own line, if any."""
    text = str(error).strip()
    if isinstance(error, ValueError) and frames[-1].filename.startswith(PACKAGE):
        return text
    users = [frame for frame in frames if not frame.filename.startswith((PACKAGE, *LIBRARIES, "<"))]
    place = (users or frames)[-1]
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"


def _fix(error: BaseException, part: str, config: Mapping[str, Any]) -> str:
    """The key that the message speaks of: by its path, its value, its name, or as the only text among numbers."""
    if part == "batch":
        image = config["data"].get("image") is False
        return "data.image=true, or another model" if image else "another model or data: the two must fit each other"
    group, _, callback = part.partition(".")
    leaves = [leaf for path in _GROUPS.get(part, (part,)) for leaf in _leaves(_node(config, path), path)]
    beside = [leaf for path in _BESIDE for leaf in _leaves(config.get(path), path)] if callback else []
    names = {path: path.rpartition(".")[2] for path, _ in leaves + beside}
    texts = [(path, value) for path, value in leaves if isinstance(value, str) and "${" not in value]
    quoted = [(str(error).find(repr(value)), path) for path, value in texts if value]  # beside the name of a file, say
    found = [path for path in names if _holds(error, path)]
    found += [path for place, path in sorted(quoted) if place >= 0]
    found += [path for path, value in texts if value != "none" and _holds(error, value)]  # Python's None is no text
    found += [path for path, _ in leaves if _holds(error, names[path])]
    found += [path for path, _ in beside if "_" in names[path] and _holds(error, names[path])]  # else plain English
    found += [path for path, value in leaves if type(value) in (int, float) and _holds(error, str(value))]
    alone = [path for path, _ in texts if path.startswith(f"{part}.")]
    if not found and isinstance(error, TypeError) and len(alone) == 1:
        found = alone
    if found:
        return f"{found[0]}=…"
    if callback:
        return f"other values under `{part}`, or leave it out"
    return f"other values under `{part}`, or mend {config[group].get('_target_') or part}"


def _node(config: Mapping[str, Any], path: str) -> Any:
    group, _, callback = path.partition(".")
    return config[group][callback] if callback else config.get(group)


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Values with their paths, as overrides can address them."""
    if not isinstance(node, Mapping):
        yield path, node
        return
    for key, value in node.items():
        if key != "_target_":
            yield from _leaves(value, f"{path}.{key}")


def _holds(error: BaseException, word: str) -> bool:
    return bool(word) and re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", str(error), re.IGNORECASE) is not None
