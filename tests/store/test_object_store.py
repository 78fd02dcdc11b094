from __future__ import annotations

import errno
import http.server
import io
import json
import threading
import urllib.parse
from pathlib import Path
from typing import ClassVar

import pytest
from s3_server import KEYS, gate, make_bucket, s3_server, strict_s3_server, url_of

from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store import object_store
from raytune_nn.store.bucket import read_url
from raytune_nn.store.bucket_folder import check_bucket
from raytune_nn.store.object_store import ObjectStore, _brief


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(read_url(url_of(make_bucket(s3_server()), s3_server())))


def test_what_was_written_is_read(store: ObjectStore) -> None:
    store.write("a/b", b"first")
    store.write("a/b", b"second, and longer")
    assert store.read("a/b") == b"second, and longer"
    assert store.sizes() == {"a/b": 18}


def test_a_file_of_several_chunks_is_sent_and_fetched_whole(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "CHUNK", 1000)
    content = bytes(range(256)) * 100
    store.send("a", io.BytesIO(content))
    store.fetch("a", tmp_path / "deep" / "a")
    assert (tmp_path / "deep" / "a").read_bytes() == content
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]


def test_only_what_is_under_a_prefix_is_listed_and_removed(store: ObjectStore) -> None:
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        store.write(key, key.encode())
    assert store.sizes("a") == {"a/1": 3, "a/b/2": 5}
    store.remove_all("a")
    assert list(store.sizes()) == ["ab/3", "c"]
    assert store.sizes("a") == {}


def test_a_copy_is_an_object_of_its_own(store: ObjectStore) -> None:
    store.write("a", b"1")
    store.copy("a", "b/a")
    store.remove("a")
    assert (store.has("a"), store.read("b/a")) == (False, b"1")


def test_what_is_not_there_can_be_removed_but_not_read(store: ObjectStore) -> None:
    store.remove("a")
    store.remove_all("b")
    with pytest.raises(FileNotFoundError):
        store.read("a")


def test_no_bucket_is_an_error_that_does_not_pass() -> None:
    store = ObjectStore(read_url(url_of("no-such-bucket", s3_server())))
    with pytest.raises(PermissionError, match="NO_SUCH_BUCKET") as caught:
        store.write("a", b"1")
    assert caught.value.errno == errno.EACCES


def test_a_store_that_is_away_may_come_back() -> None:
    with gate(s3_server()) as before:
        store = ObjectStore(read_url(url_of(make_bucket(s3_server()), before.port)))
        store.write("a", b"1")
        before.shut()
        with pytest.raises(OSError, match="NETWORK_CONNECTION") as caught:
            store.write("a", b"2")
        assert caught.value.errno == errno.EREMOTEIO
        before.open()
        assert store.read("a") == b"1"


def test_a_bucket_that_can_be_used_is_left_as_it_was(store: ObjectStore) -> None:
    check_bucket(store.bucket)
    assert store.sizes() == {}


def test_a_bucket_of_somebody_else_is_refused_without_showing_secrets() -> None:
    with pytest.raises(ConfigError, match=r"INVALID_ACCESS_KEY_ID|ACCESS_DENIED") as caught:
        check_bucket(read_url(url_of("bucket", strict_s3_server())))
    assert not any(secret in str(caught.value) for secret in list(KEYS.values())[:2])
    assert "AWS_ACCESS_KEY_ID" in str(caught.value)


def test_a_server_that_does_not_answer_is_told() -> None:
    with gate(s3_server()) as before:
        before.shut()
        with pytest.raises(UnusableError, match=r"study\.storage must answer"):
            check_bucket(read_url(url_of("bucket", before.port)))


def test_the_endpoint_may_come_from_the_environment(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write("a", b"1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_server()}")
    assert ObjectStore(read_url(store.bucket.place)).read("a") == b"1"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (
            "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of Could not create a "
            "OAuth2 access token to authenticate the request. The request was not sent error_info={reason=})",
            "UNAVAILABLE: Could not create a OAuth2 access token to authenticate the request",
        ),
        (
            "When reading 'a': AWS Error ACCESS_DENIED during GetObject operation: No right. (Request ID: 7)",
            "ACCESS_DENIED: No right",
        ),
        ("connection lost\nat line 7", "connection lost"),
    ],
)
def test_of_a_stores_long_texts_its_own_words_stay(says: str, words: str) -> None:
    assert _brief(says) == words


class _NoObjects(http.server.BaseHTTPRequestHandler):
    """Google's answers where a bucket is empty; notes who asked."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((urllib.parse.unquote(self.path), self.headers["Authorization"]))
        is_list = self.path.partition("?")[0].endswith("/o")
        body = json.dumps({"kind": "storage#objects"} if is_list else {"error": {"code": 404}}).encode()
        self.send_response(200 if is_list else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_a_server_in_the_place_of_googles_needs_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _NoObjects) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{server.server_address[1]}")
        store = ObjectStore(read_url("gs://bucket/studies"))
        assert not store.has("a")
        assert store.sizes() == {}
        server.shutdown()
    assert any("/b/bucket/o/studies/a" in path for path, _ in _NoObjects.asked)
    assert {credentials for _, credentials in _NoObjects.asked} == {None}
