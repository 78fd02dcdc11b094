"""The network interface by which this machine reaches another one."""

from __future__ import annotations

import socket
import struct
import sys

_SIOCGIFADDR = 0x8915  # Linux: ask an interface for its IPv4 address


def interface_towards(host: str, port: int) -> str | None:
    """The name of the interface from which packets to a host leave; None where it cannot be told.

    Args:
        host: IP address. Its own is reached by the interface that has it.
        port: Any; nothing is sent.
    """
    if sys.platform != "linux":
        return None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))  # chooses the way and sends nothing
        address = probe.getsockname()[0]
    names = [name for _, name in socket.if_nameindex()]
    of = _ipv6 if family == socket.AF_INET6 else _ipv4
    return next((name for name in names if address in of(name)), None)


def _ipv4(name: str) -> list[str]:
    import fcntl  # not on Windows

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()))
        except OSError:  # it has none
            return []
    return [socket.inet_ntoa(answer[20:24])]


def _ipv6(name: str) -> list[str]:
    with open("/proc/net/if_inet6", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows if row[-1] == name]
