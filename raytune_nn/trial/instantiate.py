"""From plain data to what it names: the only place where a `_target_` is called."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf

from raytune_nn.space.parse import parse_space

RESERVED = ("_target_", "_partial_", "_args_")  # keys of a target node that are not keywords of the target


def instantiate(node: Any, **extras: Any) -> Any:
    """Calls the target of a node, and of every node inside it, depth first; plain data stays as it is.

    Args:
        node: Plain data. A mapping with ``_target_`` becomes the call of what that names, with its other keys as
            keywords; ``_args_`` are positional arguments; ``_partial_: true`` leaves the call to somebody else.
        extras: More keywords for the outermost target; they win over the node's own.
    """
    if isinstance(node, Mapping) and "_target_" in node:
        keywords = {key: instantiate(value) for key, value in node.items() if key not in RESERVED}
        positional = [instantiate(value) for value in node.get("_args_", ())]
        target = locate(node["_target_"])
        if node.get("_partial_"):
            return functools.partial(target, *positional, **{**keywords, **extras})
        return target(*positional, **{**keywords, **extras})
    if isinstance(node, Mapping):
        return {key: instantiate(value) for key, value in node.items()}
    if isinstance(node, list):
        return [instantiate(value) for value in node]
    return node


def locate(path: str) -> Callable[..., Any]:
    """The object that a dotted path names.

    Raises:
        ImportError: No prefix of it is a module, or what the rest names does not exist. An exception of the module
            itself passes through.
    """
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:count])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                raise  # the module is there, and something that it imports is not
            continue
        for index, part in enumerate(parts[count:], start=count):
            if not hasattr(found, part):
                raise ImportError(f"{'.'.join(parts[:index])} has no {part!r}")
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]
    raise ImportError(f"no module named {parts[0]!r}")


def setting(config: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path of a configuration whose interpolations are not resolved; the data are not needed.

    A mapping or list comes as it stands, with what interpolations it holds.
    """
    value: Any = config
    for part in path.split("."):
        value = value[part]
        if isinstance(value, str) and "${" in value:
            return OmegaConf.select(OmegaConf.create(dict(config)), path)  # takes milliseconds, and most need it not
    return value


def targets(node: Any) -> Iterator[str]:
    """Every `_target_` in plain data, at every depth."""
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield node["_target_"]
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from targets(value)


def target_nodes(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every node with a `_target_` in plain data, at every depth, and where it stands.

    Args:
        path: Where the data stand.
    """
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from target_nodes(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from target_nodes(value, f"{path}.{index}")


def locate_all(config: Mapping[str, Any], branches: Mapping[str, Any]) -> None:
    """Imports everything that a trial of a study can name, so that none pays for it.

    Args:
        config: The study's configuration, interpolations unresolved.
        branches: What each option of a chosen group composes to.
    """
    names = list(targets([config, branches]))
    if config.get("search") is not None:
        tree: Any = OmegaConf.select(OmegaConf.create(dict(config)), "search_space")
        space = parse_space(OmegaConf.to_container(tree, resolve=True))  # type: ignore[arg-type]
        names += [name for path, domain, _ in space.paths() if path.endswith("._target_") for name in domain.corners()]
    for name in names:
        locate(name)
