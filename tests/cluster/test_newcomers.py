"""Nodes that join a running study; between real ones in test_growing.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Container
from pathlib import Path

import pytest

from raytune_nn.cluster import newcomers as module
from raytune_nn.cluster.newcomers import Newcomers
from raytune_nn.errors import ConfigError
from raytune_nn.store.folder import StudyFolder

BAD = ConfigError("study.storage must be a folder that all nodes of the cluster share", "bad", "cluster.address=null")


class Nodes:
    """What the looks of a cluster give: ids of nodes that passed, or an error."""

    def __init__(self, patch: pytest.MonkeyPatch, *looks: set[str] | Exception) -> None:
        self._looks, self.known = list(looks), list[set[str]]()
        patch.setattr(module, "LOOK_SECONDS", 0.001)
        patch.setattr(module, "check_nodes", self.check)

    def check(self, study: StudyFolder, known: Container[str], ended: threading.Event) -> set[str]:
        assert isinstance(known, set)
        self.known.append(set(known))
        if not self._looks:
            ended.wait()
            return set()
        look = self._looks.pop(0)
        if isinstance(look, Exception):
            raise look
        return look

    def until_asked(self, times: int) -> None:
        end = time.monotonic() + 10
        while len(self.known) < times:
            assert time.monotonic() < end
            time.sleep(0.001)


def test_each_node_looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {"b"}, set(), RuntimeError("Ray is away for a moment"), {"c", "d"})
    with Newcomers(StudyFolder(Path("study")), {"a"}) as newcomers:
        nodes.until_asked(5)
    assert nodes.known == [{"a"}, {"a", "b"}, {"a", "b"}, {"a", "b"}, {"a", "b", "c", "d"}]
    assert newcomers.fault is None
    assert not newcomers._thread.is_alive()


def test_a_node_that_does_not_pass_is_told_and_no_other_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, BAD)
    with Newcomers(StudyFolder(Path("study")), set()) as newcomers:
        newcomers._thread.join(10)
        assert newcomers.fault is not None
        assert newcomers.fault.exit_code == 4
        assert newcomers.fault.rule == f"{BAD.rule}; one has joined that is not so"
        assert (newcomers.fault.found, newcomers.fault.fix) == (BAD.found, BAD.fix)
    assert len(nodes.known) == 1
