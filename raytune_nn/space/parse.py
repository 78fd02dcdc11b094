"""Reads ``search_space``, a tree that mirrors the configuration and holds distributions in place of values.

Three things can stand at a key: a distribution (``{dist: loguniform, low: 1e-4, high: 1e-1}`` or
``"loguniform(1e-4, 1e-1)"``), a choice of a config group (``{choose: {sgd: {...}, adamw: {...}}, lr: ...}``),
or a mapping with more such keys. What stands beside ``choose`` exists under every option; a key of an option
replaces the one of the same name beside ``choose``. Every error names the full path and how to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from raytune_nn.errors import SpaceError
from raytune_nn.space import text
from raytune_nn.space.leaf import Leaf, command, example, nearest_distribution, text_override
from raytune_nn.space.space import GroupChoice, Space
from raytune_nn.space.values import shown

_ROOT = "search_space"


def parse_space(tree: Mapping[str, Any]) -> Space:
    """Read a search space.

    Args:
        tree: The value of ``search_space`` as plain mappings, lists, texts and numbers, all resolved.

    Raises:
        SpaceError: something in it is not as it must be.
    """
    if not isinstance(tree, Mapping):
        raise SpaceError(f"{_ROOT} must be a mapping", shown(tree), f"{_ROOT}={{}}")
    for key in ("dist", "choose"):
        if key in tree and (key == "choose" or _is_distribution(tree)):
            rule = f"{_ROOT} must hold `{key}` below the path of a parameter or config group"
            raise SpaceError(rule, f"{key}: {shown(tree[key])}", command(f"~{_ROOT}.{key}"))
    return _union(_children(tree, _ROOT, "").values())


def _parse(node: object, where: str, path: str) -> Space:
    """The space of one key: ``where`` is its place in the tree, ``path`` that of what it tunes."""
    if isinstance(node, str):
        call = text.split(node)
        if call is None:
            raise _no_distribution(node, where, path)
        return Space({path: Leaf.from_text(where, *call).domain()})
    if not isinstance(node, Mapping):
        raise _no_distribution(node, where, path)
    if _is_distribution(node):
        return Space({path: Leaf.from_mapping(where, node).domain()})
    if "choose" in node:
        return Space({}, {path: _group(node, where, path)})
    _check_no_bounds(node, where)
    return _union(_children(node, where, path).values())


def _group(node: Mapping[str, Any], where: str, path: str) -> GroupChoice:
    options, at = node["choose"], f"{where}.choose"
    if not isinstance(options, Mapping) or not options:
        listed = options if isinstance(options, list) else []
        names = [name for name in listed if re.fullmatch(r"\w+", str(name))] or ["sgd", "adamw"]
        mended = ",".join(f"{name}:{{}}" for name in names)
        rule = f"{at} must be a mapping from each option to the space that exists under it"
        raise SpaceError(rule, shown(options), command(f"~{at}", f"+{at}={{{mended}}}"))
    shared = _children({key: child for key, child in node.items() if key != "choose"}, where, path)
    branches = {}
    for name, branch in options.items():
        _check_text(name, at)
        branches[name] = _union({**shared, **_branch(branch, f"{at}.{name}", path)}.values())
    return GroupChoice(branches)


def _branch(node: object, where: str, path: str) -> dict[str, Space]:
    if node is None:
        return {}
    if not isinstance(node, Mapping) or _is_distribution(node):
        rule = f"{where} must be a mapping of the parameters that exist under this option"
        raise SpaceError(rule, shown(node), command(f"~{where}", f"+{where}={{}}"))
    if "choose" in node:
        rule = f"{where} must not choose {path} again: `choose` belongs below a parameter's or group's name"
        raise SpaceError(rule, f"choose: {shown(node['choose'])}", command(f"~{where}.choose"))
    return _children(node, where, path)


def _children(node: Mapping[str, Any], where: str, path: str) -> dict[str, Space]:
    spaces = {}
    for key, child in node.items():
        _check_text(key, where)
        if "." in key:
            above, _, below = key.partition(".")
            rule = f"the keys of {where} must be plain names: a path is written as nested mappings"
            raise SpaceError(rule, shown(key), f"{above}: {{{below}: …}} in the file")
        spaces[key] = _parse(child, f"{where}.{key}", f"{path}.{key}" if path else key)
    return spaces


def _union(spaces: Iterable[Space]) -> Space:
    union = Space()
    for space in spaces:
        union = Space({**union.domains, **space.domains}, {**union.choices, **space.choices})
    return union


def _is_distribution(node: Mapping[str, Any]) -> bool:
    return "dist" in node and not isinstance(node["dist"], Mapping)  # a mapping there: a parameter named dist


def _check_text(key: object, where: str) -> None:
    if not isinstance(key, str) or not key:
        raise SpaceError(f"the keys of {where} must be texts", shown(key), f'"{key}" in quotes, in the file')
    if not key.isprintable():  # no message could name what is below it
        rule = f"the keys of {where} must be texts of printable characters"
        raise SpaceError(rule, shown(key), f"{''.join(filter(str.isprintable, key)) or 'a name'}: …, in the file")


def _check_no_bounds(node: Mapping[str, Any], where: str) -> None:
    """Refuses ``{low: 0, high: 1}`` and ``{type: uniform, low: 0, high: 1}``, which read as parameters."""
    guesses = {"options": "choice", "q": "quniform", "low": "uniform", "high": "uniform"}
    bounds = [key for key in guesses if key in node and not _can_be_parameter(node[key])]
    if not bounds:
        return
    named = {key: nearest_distribution(value) for key, value in node.items() if isinstance(value, str)}
    mend = [f"+{where}.dist={guesses[bounds[0]]}"]
    for key, name in named.items():
        if name:
            mend = [f"~{where}.{key}", f"+{where}.dist={name}"]
    raise SpaceError(f"{where} must name its distribution as `dist`", shown(node), command(*mend))


def _can_be_parameter(node: object) -> bool:
    return isinstance(node, Mapping) or (isinstance(node, str) and text.split(node) is not None)


def _no_distribution(node: object, where: str, path: str) -> SpaceError:
    rule = f'{where} must be a distribution: a mapping with `dist`, or a text such as "{example()}"'
    if node is None or isinstance(node, str):  # Hydra cannot delete a null
        fix = text_override(where, example(nearest_distribution(node) or "loguniform"))
    elif isinstance(node, list) and node:
        fix = text_override(where, text.write("choice", {"options": node}, ("options",)))
    else:
        fix = command(f"~{where}", f"{path}={shown(node)}")
    return SpaceError(rule, shown(node), fix)
