from __future__ import annotations

import pytest

from raytune_nn.errors import ConfigError
from raytune_nn.store.bucket import read_url
from raytune_nn.store.locate import locate_study


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("s3://bucket", "bucket"),
        ("s3://bucket/", "bucket"),
        ("gs://my-bucket.org/a/b/", "my-bucket.org/a/b"),
        ("s3://bucket/a%20b?region=eu-west-1", "bucket/a b"),
        ("s3://bucket/a?endpoint_override=127.0.0.1:9000&scheme=http", "bucket/a"),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(url: str, root: str) -> None:
    assert read_url(url).root == root


@pytest.mark.parametrize("name", ["first", "a b", "a?b", "a#b", "100%", "ü&x=1"])
def test_the_url_of_a_study_leads_back_to_it(name: str) -> None:
    there = read_url("s3://bucket/studies?scheme=http").under(name)
    assert read_url(there.url) == there
    assert there.root == f"bucket/studies/{name}"
    assert there.above == read_url("s3://bucket/studies?scheme=http")


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://bucket/a", "file:///tmp", "s3://", "s3:///a", "s3://Bucket/a", "s3://b", "s3://bucket:90/a"),
        *("s3://bucket/../other", "s3://bucket/a//b", "s3://bucket/%2e%2e/b", "s3://bucket/a/./b", "s3://bucket/a%0Ab"),
        *(
            "s3://bucket/a#b",
            "s3://bucket/a?unknown=1",
            "s3://bucket/a?scheme=http&scheme=https",
            "gs://bucket?region=x",
        ),
    ],
)
def test_what_is_no_place_on_an_object_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"study\.storage|options"):
        locate_study(url, "first")


@pytest.mark.parametrize("url", ["s3://KEY:hush@bucket/a", "s3://hush@bucket", "s3://bucket/a?secret_key=hush"])
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        locate_study(url, "first")
    assert "hush" not in str(caught.value)
