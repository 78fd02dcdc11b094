"""Waiting until the nodes of a job are in its Ray cluster."""

from __future__ import annotations

from unittest import mock

import pytest

from raytune_nn.cluster.nodes import Node, RunningCluster
from raytune_nn.cluster.submit import joined
from raytune_nn.errors import UnusableError

MODULE = "raytune_nn.cluster.submit.joined"
SILENT = UnusableError("a Ray cluster must answer")


def cluster(*names: str) -> RunningCluster:
    return RunningCluster("n0:6379", tuple(Node(name, 8, 0, 1) for name in names))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be waited; the clock goes on by them."""
    waits = list[float]()
    monkeypatch.setattr(f"{MODULE}.time.sleep", waits.append)
    monkeypatch.setattr(f"{MODULE}.time.monotonic", lambda: sum(waits))
    return waits


def test_it_says_who_has_joined_and_ends_with_the_last(slept: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    answers = [SILENT, cluster("n1"), cluster("n1"), cluster("n1", "n0")]
    with mock.patch(f"{MODULE}.find_cluster", side_effect=answers):
        joined.wait_for_nodes("n0:6379", 2)
    assert capsys.readouterr().out.splitlines() == ["1 of 2 Ray nodes: n1", "2 of 2 Ray nodes: n0, n1"]
    assert len(slept) == 3


def test_a_head_that_never_answers_is_given_up(slept: list[float]) -> None:
    with mock.patch(f"{MODULE}.find_cluster", side_effect=SILENT), pytest.raises(UnusableError):
        joined.wait_for_nodes("n0:6379", 2)
    assert sum(slept) == pytest.approx(joined.PATIENCE_SECONDS, abs=2)
