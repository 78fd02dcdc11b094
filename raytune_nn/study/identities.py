"""Tells trials apart by what they would train: two of one identity give the same reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from omegaconf import OmegaConf

from raytune_nn.config.identity import digest, training_part
from raytune_nn.space.merge import Branches, Tree, merge_params
from raytune_nn.space.space import Space
from raytune_nn.study.background import in_background
from raytune_nn.study.code_version import code_version
from raytune_nn.study.data_version import contents, named_paths
from raytune_nn.trial.instantiate import targets

_INTERPOLATION = re.compile(r"\$\{")


class Identities:
    """The identities of a study's trials.

    An identity is ``<code>-<data>-<configuration>``, each a hash. The first two need files to be read, which a thread
    does once a study, beside the start of the cluster.

    Args:
        config: The composed base configuration, interpolations unresolved.
        branches: What each option of a chosen group composes to.
        trees: Resolved configurations that name all targets and paths there can be.
    """

    def __init__(self, config: Mapping[str, Any], branches: Branches, space: Space, trees: list[Tree]) -> None:
        self._config, self._branches, self._trees = config, branches, trees
        self._searched = [path for path, _, _ in space.paths()]
        self._code: Future[str] | None = None
        self._templates: dict[str, Tree] = {}  # by the options chosen
        self._contents: dict[tuple[str, ...], str] = {}

    def begin(self) -> None:
        """Reads code and data, in a thread."""
        if self._code is None:
            self._code = in_background(self._read, "identity")

    @property
    def code(self) -> str:
        """The hash of the code, which all trials of the study share; waits for the thread.

        Raises:
            OSError: A file of code or data cannot be read.
        """
        self.begin()
        assert self._code is not None
        return self._code.result()

    def of(self, params: Mapping[str, Any]) -> str:
        """The identity of a trial.

        Raises:
            OSError: As ``code``.
        """
        code, tree = self.code, training_part(self._resolved(params))
        return f"{code}-{self._contents_of(tree)}-{digest(tree)}"

    def _read(self) -> str:
        code = digest(code_version(name for tree in self._trees for name in targets(training_part(tree))))
        for tree in self._trees:
            self._contents_of(tree)
        return code

    def _contents_of(self, tree: Mapping[str, Any]) -> str:
        paths = tuple(named_paths(tree))
        if paths not in self._contents:
            self._contents[paths] = contents(list(paths))
        return self._contents[paths]

    def _resolved(self, params: Mapping[str, Any]) -> Tree:
        """The trial's configuration; resolving one takes OmegaConf many milliseconds, so it is done once a choice."""
        chosen = {path: option for path, option in params.items() if path in self._branches}
        key = digest(chosen)
        if key not in self._templates:
            self._templates[key] = merge_params(self._config, self._branches, chosen)
            if not self._refers_to_searched(self._templates[key]):
                self._templates[key] = _resolve(self._templates[key])
        others = {path: value for path, value in params.items() if path not in self._branches}
        tree = merge_params(self._templates[key], {}, others)
        return _resolve(tree) if self._refers_to_searched(tree) else tree

    def _refers_to_searched(self, tree: Mapping[str, Any]) -> bool:
        """Whether what an interpolation stands for may change from trial to trial; relative ones, and those that look
        at the trainer by themselves, are taken to.
        """
        found = [text for text in _texts(tree) if _INTERPOLATION.search(text)]
        whole = any(path.split(".")[0] in ("trainer", "budget") for path in self._searched)
        names = {part for path in self._searched for part in (path, path.rpartition(".")[0]) if part}
        return any(whole or "${." in text or any(name in text for name in names) for text in found)


def _resolve(tree: Tree) -> Tree:
    resolved: Tree = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)  # type: ignore[assignment]
    return resolved


def _texts(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    inside = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return [text for value in inside for text in _texts(value)]
