"""The studies of a storage, in a folder and on an object store."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from places import PLACES
from s3_server import KEYS, make_bucket, s3_server, url_of

from raytune_nn.errors import ConfigError
from raytune_nn.store.bucket import read_url
from raytune_nn.store.holder import Holder, this_process
from raytune_nn.store.lease import TTL_SECONDS
from raytune_nn.store.listing import list_studies
from raytune_nn.store.object_store import ObjectStore


class Storage:
    """A storage to put files into."""

    def __init__(self, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.store = tmp_path / "studies", None
        self.url = str(self.folder)
        if place == "bucket":
            for key, value in KEYS.items():
                monkeypatch.setenv(key, value)
            self.url = url_of(make_bucket(s3_server()), s3_server())
            self.store = ObjectStore(read_url(self.url))

    def put(self, path: str, content: str) -> None:
        if self.store is not None:
            self.store.write(path, content.encode())
            return
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(content)

    def study(self, name: str, status: str = "complete", began: float = 1.0, holder: Holder | None = None) -> None:
        summary: dict[str, Any] = {"name": name, "status": status, "began": began, "counts": {"trials": 3}}
        self.put(f"{name}/summary.json", json.dumps(summary))
        self.put(f"{name}/journal/00000-00000.jsonl", "x\n")
        if holder is not None:
            self.put(f"{name}/.lease", json.dumps({"id": "x", "holder": holder.to_json()}))

    def listed(self) -> list[tuple[str, str]]:
        return [(study.name, study.status) for study in list_studies(self.url)]


@pytest.fixture(params=PLACES)
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    return Storage(request.param, tmp_path, monkeypatch)


def test_the_newest_comes_first(storage: Storage) -> None:
    storage.study("first", began=10.0)
    storage.study("third", "interrupted", began=30.0)
    storage.study("second", "failed", began=20.0)
    assert storage.listed() == [("third", "interrupted"), ("second", "failed"), ("first", "complete")]


def test_a_study_runs_while_somebody_holds_it(storage: Storage) -> None:
    mine = this_process("")
    storage.study("runs", "running", 5.0, mine)
    storage.study("killed", "running", 4.0, replace(mine, started="another start"))
    storage.study("released", "running", 3.0)
    storage.study("elsewhere", "running", 2.0, replace(mine, boot="another machine"))
    storage.study("ended", "complete", 1.0, replace(mine, started="another start"))
    assert storage.listed() == [
        ("runs", "running"),
        ("killed", "dead"),
        ("released", "dead"),
        ("elsewhere", "running"),
        ("ended", "complete"),
    ]


def test_a_driver_elsewhere_is_dead_once_its_heart_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage("folder", tmp_path, monkeypatch)
    storage.study("elsewhere", "running", 2.0, replace(this_process(""), boot="another machine"))
    then = time.time() - 2 * TTL_SECONDS - 5
    os.utime(storage.folder / "elsewhere" / ".lease", (then, then))
    assert storage.listed() == [("elsewhere", "dead")]


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"status": "odd"}', '{"status": null}'])
def test_a_damaged_study_is_invalid_and_a_foreign_folder_is_none(text: str, storage: Storage) -> None:
    storage.study("good", began=5.0)
    storage.put("damaged/summary.json", text)
    storage.put("damaged/journal/00000-00000.jsonl", "x\n")
    storage.put("foreign/summary.json", text)
    storage.put("foreign/data.csv", "x")
    storage.put("killed/journal/00000-00000.jsonl", "x\n")
    storage.put("file.txt", "x")
    found = storage.listed()
    assert found[0] == ("good", "complete")
    assert sorted(found[1:]) == [("damaged", "invalid"), ("killed", "invalid")]


def test_an_empty_storage_has_none(storage: Storage) -> None:
    assert storage.listed() == []


def test_a_storage_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="must be a folder or a bucket that can be read"):
        list_studies(str(tmp_path / "file"))


def test_links_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage("folder", tmp_path, monkeypatch)
    storage.study("good")
    (storage.folder / "link").symlink_to(storage.folder / "good")
    assert storage.listed() == [("good", "complete")]


def test_a_storage_that_is_not_there_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Storage("bucket", tmp_path, monkeypatch)
    assert list_studies(url_of("no-such-bucket", s3_server())) == []
    assert list_studies(str(tmp_path / "nope" / "studies")) == []


def test_five_hundred_studies_are_listed_in_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage("folder", tmp_path, monkeypatch)
    for number in range(500):
        storage.study(f"study {number}", began=float(number))
    began = time.process_time()
    assert len(storage.listed()) == 500
    assert time.process_time() - began < 1.0
