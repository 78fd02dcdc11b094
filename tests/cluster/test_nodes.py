"""The cluster that Ray finds by itself (``cluster.address=auto``); what a cluster has is tested in test_existing.py."""

from __future__ import annotations

import pytest

from raytune_nn.cluster.nodes import _found_here
from raytune_nn.errors import UnusableError


@pytest.mark.parametrize("address", ["127.0.0.1:1", "192.0.2.7:6379"])
def test_the_address_of_the_environment_stays_what_it_is(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes loopback for an address that others can reach, which would need a token."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert _found_here() == address


@pytest.mark.parametrize("address", ["local", "ray://127.0.0.1:10001", "127.0.0.1"])
def test_what_is_none_of_a_cluster_is_an_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UnusableError) as raised:
        _found_here()
    assert raised.value.rule == "a Ray cluster must answer at cluster.address"
    assert address in str(raised.value.found)
