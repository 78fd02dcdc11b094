"""Secrets: what a configuration takes from the environment by ``${oc.env:NAME}``.

A reference is written to files as it stands; what it stands for never is.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.resolvers import oc

ENVIRONMENT = "oc.env"
SHORTEST = 6  # characters; what is shorter stands in many texts by chance, and keeps nothing secret
_REFERENCE = re.compile(r"\$\{\s*oc\.env\s*:\s*(\w+)")


class Secrets:
    """The values of the variables that a configuration refers to, as they are in this process.

    Args:
        config: Plain data, interpolations unresolved.
    """

    def __init__(self, config: Any = None) -> None:
        names = {name: os.environ.get(name, "") for text in _texts(config) for name in _REFERENCE.findall(text)}
        known = {value: reference(name) for name, value in names.items() if len(value) >= SHORTEST}
        self._references = dict(sorted(known.items(), key=lambda pair: -len(pair[0])))  # one may be a part of another

    def __bool__(self) -> bool:
        return bool(self._references)

    def hide(self, tree: Any) -> Any:
        """The same data with references in the place of what they stand for."""
        if isinstance(tree, str):
            for value, name in self._references.items():
                tree = tree.replace(value, name)
            return tree
        if isinstance(tree, Mapping):
            return {key: self.hide(value) for key, value in tree.items()}
        if type(tree) in (list, tuple):
            return type(tree)(self.hide(value) for value in tree)
        return tree


def without_passwords(text: str) -> str:
    """A text, less the passwords of URLs in it: what was typed is repeated where it was wrong."""
    return re.sub(r"(://[^\s:/@]*):\S*@", r"\1:***@", text)


def reference(name: str, *default: Any) -> str:
    """What stands for a variable of the environment; as OmegaConf's resolver ``oc.env``, it leaves it as it was."""
    return f"${{{ENVIRONMENT}:{name}}}"


@contextlib.contextmanager
def references_kept() -> Iterator[None]:
    """Inside, whatever is resolved keeps its references to the environment, also those that lead there."""
    OmegaConf.register_new_resolver(ENVIRONMENT, reference, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver(ENVIRONMENT, oc.env, replace=True)


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping | list):
        for value in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _texts(value)
