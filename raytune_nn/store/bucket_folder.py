"""The folder of a study that is on an object store: its paths are those of this driver's working folder."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.bucket import Bucket
from raytune_nn.store.files import ObjectFiles
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.journal_pieces import fetch_segments
from raytune_nn.store.object_store import ObjectStore
from raytune_nn.store.working_folder import working_folder

LEASE = ".lease"  # key of the object that says who has the study


@dataclass(frozen=True)
class BucketFolder(StudyFolder):
    """`<study.storage>/<study.name>/` as objects."""

    files: ObjectFiles

    @property
    def url(self) -> str:
        return self.files.store.bucket.url

    @property
    def storage_url(self) -> str:
        return self.files.store.bucket.above.url

    def shown(self, path: Path) -> str:
        return self.files.store.place(path.relative_to(self.path).as_posix().strip("."))

    @property
    def is_taken(self) -> bool:
        with usable(self.place):
            return bool(self.files.store.sizes())

    def fetch(self) -> None:
        with usable(self.place):
            fetch_segments(self.files, self.journal)
            for path in (self.summary, self.config, self.space, self.best / "config.yaml"):
                self.files.fetch(path)

    def create(self) -> list[Path]:
        with usable(self.place):
            is_new = self.status() == "invalid" or not self.is_taken
            self.journal.mkdir(parents=True, exist_ok=True)
            return [self.path] if is_new else []

    def clear_invalid(self, kept: str) -> None:
        with usable(self.place):
            if self.status() != "invalid":
                return
            summary = self.summary.name
            for key in sorted(self.files.store.sizes(), key=lambda key: key == summary):  # the mark goes last
                if key != kept:
                    self.files.store.remove(key)
            shutil.rmtree(self.path)
            self.journal.mkdir(parents=True)

    def remove(self, made: list[Path]) -> None:
        with usable(self.place):
            self.files.store.remove_all()
            shutil.rmtree(self.path, ignore_errors=True)

    def publish(self, *paths: Path) -> None:
        with usable(self.place):
            self.files.publish(*paths)


def bucket_folder(bucket: Bucket, name: str) -> BucketFolder:
    """A study's; nothing is asked of the store yet."""
    place = hashlib.sha256(bucket.url.encode()).hexdigest()[:8]  # two buckets can have studies of one name
    path = working_folder() / place / name
    return BucketFolder(path, ObjectFiles(ObjectStore(bucket.under(name)), path))


def check_bucket(bucket: Bucket) -> None:
    """Writes, reads and removes an object.

    Raises:
        ConfigError: The store refuses: there is no such bucket, or no permission.
        UnusableError: It does not answer.
    """
    store = ObjectStore(bucket)
    key, mark = f".rtnn-{secrets.token_hex(8)}", secrets.token_bytes(16)
    try:
        store.write(key, mark)
        try:
            found = store.read(key)
        finally:
            with contextlib.suppress(OSError):
                store.remove(key)
    except PermissionError as error:
        rule = "study.storage must be a bucket that can be written, read and removed from"
        fix = "study.storage=s3://<a bucket of yours>, or credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        google = "study.storage=gs://<a bucket of yours>, or credentials in GOOGLE_APPLICATION_CREDENTIALS"
        found_there = f"{bucket.place}: {error.strerror}"
        raise ConfigError(rule, found_there, google if bucket.scheme == "gs" else fix) from error
    except OSError as error:
        rule, fix = "study.storage must answer", "the network, AWS_ENDPOINT_URL or endpoint_override in the URL"
        raise UnusableError(rule, f"{bucket.place}: {error.strerror or error}", fix) from error
    if found != mark:
        raise UnusableError("study.storage must give back what was written", bucket.place, "another bucket")
