"""From an exception on the way to the first batch to what the user has to mend; a part of ``trial/rehearsal.py``."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException

from raytune_nn.errors import ConfigError
from raytune_nn.trial.isolation import LIBRARIES

PACKAGE = str(Path(__file__).parents[1])
RULES = {  # what each part must do
    "data": "the data must load",
    "model": "the model must be built",
    "init": "the initialisation must fit the model",
    "optimizer": "optimizer and schedule must be built on the model's parameters",
    "callbacks": "the callbacks must be built",
    "trainer": "the trainer must be built, and take the model",
    "batch": "the model must take a batch of the data",
}
_GROUPS = {"optimizer": ("optimizer", "lr_scheduler", "param_groups")}  # of the configuration; others are one group


def blame(error: BaseException, part: str, config: Mapping[str, Any]) -> ConfigError:
    """The error in the words of the configuration.

    Args:
        error: What was raised.
        part: A key of ``RULES``: what was at work.
        config: A trial's configuration, interpolations unresolved.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.name == "configure_optimizers" for frame in frames):
        part = "optimizer"
    elif isinstance(error, MisconfigurationException):
        part = "trainer"
    return ConfigError(RULES[part], _found(error, frames), _fix(error, part, config))


def _found(error: BaseException, frames: traceback.StackSummary) -> str:
    """The message alone where it is one of ours, which names file and row; else with the user's own line, if any."""
    text = str(error).strip()
    if isinstance(error, ValueError) and frames[-1].filename.startswith(PACKAGE):
        return text
    users = [frame for frame in frames if not frame.filename.startswith((PACKAGE, *LIBRARIES, "<"))]
    place = (users or frames)[-1]
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"


def _fix(error: BaseException, part: str, config: Mapping[str, Any]) -> str:
    """The key that the message speaks of: by its value, its name, or as the only text among numbers."""
    if part == "batch":
        image = config["data"].get("image") is False
        return "data.image=true, or another model" if image else "another model or data: the two must fit each other"
    leaves = [leaf for group in _GROUPS.get(part, (part,)) for leaf in _leaves(config.get(group), group)]
    texts = [(path, value) for path, value in leaves if isinstance(value, str) and "${" not in value]
    numbers = [(path, str(value)) for path, value in leaves if type(value) in (int, float)]
    found = [path for path, value in texts if value and repr(value) in str(error)]  # beside the name of a file, say
    found += [path for path, value in texts if _holds(error, value)]
    found += [path for path, _ in leaves if _holds(error, path.rpartition(".")[2])]
    found += [path for path, value in numbers if _holds(error, value)]
    alone = [path for path, _ in texts if path.startswith(f"{part}.")]
    if not found and isinstance(error, TypeError) and len(alone) == 1:
        found = alone
    if found:
        return f"{found[0]}=…"
    return f"other values under `{part}`, or mend {config[part].get('_target_') or part}"


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
