"""By which interface a machine reaches another one."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from raytune_nn.trial.interface import interface_towards

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it cannot be told")


def test_loopback_is_reached_by_its_own_interface() -> None:
    assert interface_towards("127.0.0.1", 1) == "lo"


def test_so_it_is_by_ipv6() -> None:
    known = Path("/proc/net/if_inet6")
    if not known.is_file() or " lo\n" not in known.read_text():
        pytest.skip("loopback has no IPv6 address")
    assert interface_towards("::1", 1) == "lo"


def test_another_machine_is_reached_by_an_interface_of_this_one() -> None:
    try:
        found = interface_towards("192.0.2.1", 1)  # an address for documentation, which nobody has
    except OSError:
        pytest.skip("this machine has no way out")
    assert found in {name for _, name in socket.if_nameindex()} - {"lo"}
