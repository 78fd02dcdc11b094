"""A place on an object store, by its URL: ``s3://bucket/prefix`` or ``gs://bucket/prefix``.

Options follow behind ``?``, as in pyarrow's own URLs. Credentials come from the environment, never from the URL: it
stands in the study's config.yaml.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from raytune_nn.errors import ConfigError

SCHEMES = ("s3", "gs")
OPTIONS = {"s3": ("endpoint_override", "scheme", "region"), "gs": ("endpoint_override", "scheme")}
_RULE = "study.storage must be the path of a folder, s3://bucket/prefix or gs://bucket/prefix"
_FIX = "study.storage=s3://bucket/studies"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Bucket:
    """Where objects go: their keys begin with ``bucket/prefix/``."""

    scheme: str
    bucket: str
    prefix: str  # without slashes at its ends; may be empty
    options: str = ""  # as typed, behind the question mark

    @property
    def root(self) -> str:
        """What pyarrow calls the path of the prefix."""
        return f"{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def place(self) -> str:
        """For people: the URL without its options."""
        return f"{self.scheme}://{self.root}"

    @property
    def url(self) -> str:
        """`read_url` reads it back."""
        return f"{self.scheme}://{quote(self.root)}" + (f"?{self.options}" if self.options else "")

    @property
    def above(self) -> Bucket:
        """The place in which the one of this name is."""
        return Bucket(self.scheme, self.bucket, self.prefix.rpartition("/")[0], self.options)

    def under(self, name: str) -> Bucket:
        """The place of a study of this name."""
        return Bucket(self.scheme, self.bucket, f"{self.prefix}/{name}".lstrip("/"), self.options)

    def filesystem(self) -> Any:
        """pyarrow's, with credentials from the environment, a profile or the machine; nothing is asked of it yet.

        An S3 server that is not Amazon's: by ``endpoint_override`` and ``scheme``, or by ``AWS_ENDPOINT_URL``; a server
        that stands in for Google's: by ``STORAGE_EMULATOR_HOST``, and it asks for no credentials.

        Raises:
            OSError: There are no credentials.
        """
        from pyarrow import fs

        options: dict[str, Any] = dict(parse_qsl(self.options))
        if self.scheme == "gs":
            if emulator := os.environ.get("STORAGE_EMULATOR_HOST"):
                there = urlsplit(emulator if "://" in emulator else f"http://{emulator}")
                options |= {"endpoint_override": there.netloc, "scheme": there.scheme, "anonymous": True}
            return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=30), **options)
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if endpoint and "endpoint_override" not in options:
            there = urlsplit(endpoint)
            options |= {"endpoint_override": there.netloc, "scheme": there.scheme}
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if region and "region" not in options:
            options["region"] = region
        if "region" not in options:  # Amazon's buckets are asked for theirs
            known = "endpoint_override" in options
            options["region"] = "us-east-1" if known else fs.resolve_s3_region(self.bucket)
        # delayed: a small object is one request
        return fs.S3FileSystem(connect_timeout=5.0, allow_delayed_open=True, **options)


def is_url(storage: str) -> bool:
    """Whether a storage is no path."""
    return "://" in storage


def read_url(storage: str) -> Bucket:
    """Reads and checks the URL of a storage, or of a study there.

    Raises:
        ConfigError: It is none of an object store; or holds credentials, which are not shown.
    """
    parts = urlsplit(storage)
    if "@" in parts.netloc:
        rule = "study.storage must not hold credentials: they come from the environment"
        found = f"{parts.scheme}://…@{parts.netloc.rpartition('@')[2]}"
        raise ConfigError(rule, found, "AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… python -m raytune_nn …")
    shown = ascii(storage.partition("?")[0])
    if parts.scheme not in SCHEMES or parts.fragment or not storage.isprintable():
        raise ConfigError(_RULE, shown, _FIX)
    if not _BUCKET.fullmatch(parts.netloc):
        rule = "study.storage must be the URL of a bucket: lower-case letters, digits, - and ., 3 to 63 characters"
        raise ConfigError(rule, shown, _FIX)
    prefix = unquote(parts.path, errors="replace").strip("/")
    if prefix and not all(_is_plain(name) for name in prefix.split("/")):
        raise ConfigError("study.storage must be of plain names between its slashes", shown, _FIX)
    keys = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True)]
    for key in keys:
        if key not in OPTIONS[parts.scheme] or keys.count(key) > 1:
            rule = f"a URL of {parts.scheme}:// has the options {', '.join(OPTIONS[parts.scheme])}, each once"
            raise ConfigError(rule, f"{shown} with {key!a}", f"study.storage={parts.scheme}://bucket/studies")
    return Bucket(parts.scheme, parts.netloc, prefix, parts.query)


def _is_plain(name: str) -> bool:
    return name.strip() not in ("", ".", "..") and name.isprintable() and "\\" not in name
