"""A study as several drivers see it: each check of a contract is made in a folder and on an object store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from s3_server import KEYS, make_bucket, s3_server, url_of

from raytune_nn.store.bucket import read_url
from raytune_nn.store.bucket_folder import BucketFolder
from raytune_nn.store.files import ObjectFiles
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.object_store import ObjectStore

View = Callable[[str], StudyFolder]  # as a process of this name sees it
PLACES = ("folder", "bucket")


def views(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> View:
    """One new study.

    Args:
        place: One of ``PLACES``.
    """
    if place == "folder":
        return lambda process: StudyFolder(tmp_path / "study")
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    bucket = read_url(url_of(make_bucket(s3_server()), s3_server())).under("study")

    def view(process: str) -> StudyFolder:
        path = tmp_path / process / "study"
        path.mkdir(parents=True, exist_ok=True)
        return BucketFolder(path, ObjectFiles(ObjectStore(bucket), path))

    return view
