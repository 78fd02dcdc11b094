"""What the nodes of a cluster are asked before a study starts; between real nodes in test_existing.py."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from raytune_nn import __version__
from raytune_nn.cluster import visit
from raytune_nn.cluster.visit import FOLDER_VARIABLE, arrive, check_nodes, look
from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.folder import StudyFolder

NODES = {"a" * 40: "one", "b" * 40: "two"}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Nodes that see folders of their own where they are named."""
    elsewhere: dict[str, Path] = {}

    def send(node: str, folder: str, mark: str) -> tuple[str, tuple[str, str]]:
        there = elsewhere.get(node)
        return node, look(folder if there is None else str(there), node, mark)

    alive = [{"NodeID": id, "NodeManagerHostname": name} for id, name in NODES.items()]
    monkeypatch.setattr(visit, "_alive", lambda: alive)
    monkeypatch.setattr(visit, "_send", send)
    monkeypatch.setattr(visit, "_answer", lambda name, sent: (sent[0], *sent[1]))
    return elsewhere


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize("exists", [True, False])
def test_a_share_passes_and_nothing_stays_there(tmp_path: Path, exists: bool) -> None:
    study = tmp_path / "studies" / "first"
    if exists:
        study.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    check_nodes(StudyFolder(study))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [None, "another study's"])
def test_a_node_with_a_disk_of_its_own_is_named(nodes: dict[str, Path], tmp_path: Path, content: str | None) -> None:
    other = tmp_path / "other"
    other.mkdir()
    if content is not None:
        (other / "driver").write_text(content)
    nodes["b" * 40] = other
    (tmp_path / "share").mkdir()
    with pytest.raises(ConfigError) as raised:
        check_nodes(StudyFolder(tmp_path / "share" / "first"))
    assert raised.value.rule == "study.storage must be a folder that all nodes of the cluster share"
    why = "No such file or directory" if content is None else "it is another folder there"
    assert raised.value.found == f"{tmp_path / 'share'} on node two (bbbbbbbb): {why}"
    assert list((tmp_path / "share").iterdir()) == []


def test_what_a_node_writes_must_be_seen_here(
    nodes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "_send", lambda node, folder, mark: (node, (__version__, "")))
    with pytest.raises(ConfigError, match="what is written there is not seen here"):
        check_nodes(StudyFolder(tmp_path))


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize("refusing", ["tempfile.mkdtemp", "pathlib.Path.write_text"])
def test_a_full_disk_is_an_error_of_the_storage(refusing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **keywords: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(refusing, refuse)
    with pytest.raises(UnusableError, match="No space left on device"):
        check_nodes(StudyFolder(tmp_path / "first"))
    assert list(tmp_path.iterdir()) == []


def test_another_version_is_refused(nodes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "_send", lambda node, folder, mark: (node, ("0.0.7", "")))
    with pytest.raises(UnusableError) as raised:
        check_nodes(StudyFolder(tmp_path))
    assert raised.value.found == f"0.0.7 on node one (aaaaaaaa), {__version__} here"


@pytest.mark.usefixtures("nodes")
def test_a_node_that_is_lost_meanwhile_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "_answer", lambda name, sent: None)
    check_nodes(StudyFolder(tmp_path))


def test_a_worker_begins_where_the_command_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path.cwd()
    monkeypatch.chdir(before)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "not there"))
    arrive()
    assert Path.cwd() == before
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    arrive()
    assert Path.cwd() == tmp_path


def test_only_nodes_that_are_not_known_look(nodes: dict[str, Path], tmp_path: Path) -> None:
    assert check_nodes(StudyFolder(tmp_path)) == set(NODES)
    nodes["a" * 40] = tmp_path / "elsewhere"
    assert check_nodes(StudyFolder(tmp_path), {"a" * 40}) == {"b" * 40}
    assert check_nodes(StudyFolder(tmp_path / "first"), set(NODES)) == set()
