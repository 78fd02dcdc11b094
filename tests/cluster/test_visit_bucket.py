"""The same where studies are on an object store: each node goes there by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from s3_server import KEYS, make_bucket, s3_server, url_of

from raytune_nn.cluster import visit
from raytune_nn.cluster.visit import check_nodes, look
from raytune_nn.errors import ConfigError
from raytune_nn.store.bucket import read_url
from raytune_nn.store.bucket_folder import BucketFolder
from raytune_nn.store.files import ObjectFiles
from raytune_nn.store.object_store import ObjectStore

NODES = {"a" * 40: "one", "b" * 40: "two"}


def study_in(url: str, work: Path) -> BucketFolder:
    return BucketFolder(work / "first", ObjectFiles(ObjectStore(read_url(url).under("first")), work / "first"))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Nodes, of which those that are put in here have another server behind the same name."""
    other: dict[str, str] = {}

    def send(node: str, folder: str, mark: str) -> tuple[str, tuple[str, str]]:
        return node, look(other.get(node, folder), node, mark)

    alive = [{"NodeID": id, "NodeManagerHostname": name} for id, name in NODES.items()]
    monkeypatch.setattr(visit, "_alive", lambda: alive)
    monkeypatch.setattr(visit, "_send", send)
    monkeypatch.setattr(visit, "_answer", lambda name, sent: (sent[0], *sent[1]))
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    return other


def test_a_bucket_that_all_nodes_reach_passes_and_nothing_stays_there(
    elsewhere: dict[str, str], tmp_path: Path
) -> None:
    url = url_of(make_bucket(s3_server()), s3_server())
    check_nodes(study_in(url, tmp_path))
    assert elsewhere == {}
    assert ObjectStore(read_url(url)).sizes() == {}


@pytest.mark.parametrize("bucket", ["no-such-bucket", None])
def test_a_node_that_reaches_another_store_or_none_is_named(
    elsewhere: dict[str, str], tmp_path: Path, bucket: str | None
) -> None:
    url = url_of(make_bucket(s3_server()), s3_server())
    elsewhere["b" * 40] = url_of(bucket or make_bucket(s3_server()), s3_server())
    with pytest.raises(ConfigError, match="on node two") as caught:
        check_nodes(study_in(url, tmp_path))
    assert "credentials of its own" in caught.value.rule
    assert ObjectStore(read_url(url)).sizes() == {}
