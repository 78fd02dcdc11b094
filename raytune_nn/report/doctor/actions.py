"""What to type next, made of the trial's own configuration: a key that is not in it is never named."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from raytune_nn.config.compose import conf_dir
from raytune_nn.report.doctor.history import History


def scaled(history: History, path: str, factor: float, most: float | None = None) -> str | None:
    """A number of the configuration times a factor; None where there is none, or it is 0.

    Args:
        most: The new value at most.
    """
    value = history.setting(path)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value:
        return None
    new: float = value * factor if most is None else min(most, value * factor)
    if isinstance(value, int):
        new = max(1, round(new))
    return None if new == value else changed(history, path, new, most)


def changed(history: History, path: str, new: Any, most: float | None = None) -> str | None:
    """An override that gives a key another value: of a searched one, the bound that lets it have that value.

    Args:
        most: What it may be at most, where a range beyond the searched one is advised.

    Returns:
        None where the configuration has no such key, or its search space is no range.
    """
    if history.setting(path) is None and not _is_null(history.config, path):
        return None
    if path not in history.params:
        return f"{path}={shown(new)}"
    found = in_space(history, path)
    if found is None or isinstance(new, (str, bool)):
        return None
    place, node = found
    side = "high" if new < history.params[path] else "low"
    beyond = new <= node["low"] if side == "high" else new >= node["high"]
    if not beyond:
        return f"{place}.{side}={shown(new)}"
    if side == "high":
        return f"{place}.high={shown(new)} {place}.low={shown(new / 10)}"
    wide = new * 10 if most is None else min(most, new * 10)
    return f"{place}.low={shown(new)} {place}.high={shown(wide)}" if wide > new else None


def in_space(history: History, path: str) -> tuple[str, Mapping[str, Any]] | None:
    """Where a parameter stands in the search space as it is typed, and its range; None where it is none."""
    node, place, at = history.config.get("search_space"), "search_space", ""
    for part in path.split("."):
        if not isinstance(node, Mapping):
            return None
        chosen = history.params.get(at)
        branch = node["choose"].get(chosen) if isinstance(node.get("choose"), Mapping) else None
        if isinstance(branch, Mapping) and part in branch:
            node, place = branch, f"{place}.choose.{chosen}"
        if part not in node:
            return None
        node, place, at = node[part], f"{place}.{part}", f"{at}.{part}" if at else part
    is_range = isinstance(node, Mapping) and "low" in node and "high" in node
    return (place, node) if is_range else None  # type: ignore[return-value]


def with_callback(history: History, name: str) -> str | None:
    """An override that adds a callback; None where it is there, or one of the others is no option of its own."""
    there = [key for key, node in (history.setting("callbacks") or {}).items() if node is not None]
    if name in there or not all(_is_option(key) for key in there):
        return None
    return f"callbacks={name}" if not there else f"'callbacks=[{','.join([*there, name])}]'"


def lower_rate(history: History, factor: float) -> str:
    """A lower learning rate; gradients that are clipped, where the module has a rate of its own."""
    if history.setting("optimizer._target_") is not None and (action := scaled(history, "optimizer.lr", 1 / factor)):
        return action
    return changed(history, "trainer.gradient_clip_val", 1.0) or "optimizer=adamw optimizer.lr=0.0003"


def higher_rate(history: History, factor: float) -> str | None:
    """A higher learning rate."""
    return scaled(history, "optimizer.lr", factor) if history.setting("optimizer._target_") is not None else None


def shown(value: Any) -> str:
    """As it is typed."""
    if value is None:
        return "null"
    return f"{value:.2g}" if isinstance(value, float) else str(value)


@cache
def _is_option(name: str) -> bool:
    return (Path(conf_dir()) / "callbacks" / f"{name}.yaml").is_file()


def _is_null(config: Mapping[str, Any], path: str) -> bool:
    """Whether the key is there, without a value."""
    above, _, key = path.rpartition(".")
    node: Any = config
    for part in above.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return isinstance(node, Mapping) and key in node
