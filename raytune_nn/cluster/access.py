"""Whether a Ray cluster that runs already may be connected to: its address, and the token that keeps others out of it.

Any client of a Ray cluster can run code there. Nothing here imports Ray or connects to anything.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat

from raytune_nn.errors import ConfigError, UnusableError

AUTO = "auto"  # the cluster that Ray finds on this machine
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s\[\]/:@\0]+):(?P<port>\d{1,5})")
_TOKEN, _TOKEN_PATH, _USUAL_PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token"


def check_address(address: str) -> None:
    """Checks how ``cluster.address`` is written.

    Raises:
        ConfigError: It is neither ``auto`` nor a host with a port.
    """
    if address != AUTO and not _is_host_and_port(address):
        raise ConfigError(
            "cluster.address must be null, auto, or <host>:<port> of a Ray cluster",
            address,
            "cluster.address=127.0.0.1:6379",
        )


def split_address(address: str) -> tuple[str, int]:
    """The host, without brackets, and the port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def has_token() -> bool:
    """Whether this user has a token for Ray clusters, where Ray itself looks for it.

    Raises:
        ConfigError: Its file is not there, is empty, or can be read by others.
    """
    if os.environ.get(_TOKEN, "").strip():
        return True
    named = os.environ.get(_TOKEN_PATH, "")
    path = os.path.expanduser(named or _USUAL_PATH)
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        with open(path, "rb") as file:
            empty = not file.read().strip()
    except OSError as error:
        if not named and isinstance(error, FileNotFoundError | NotADirectoryError):
            return False
        raise _unreadable(path, error.strerror or str(error)) from error
    if empty:
        raise _unreadable(path, "empty")
    if mode & 0o077:
        rule = "the file with the token of a Ray cluster must be readable by you alone"
        raise ConfigError(rule, f"{path} has mode {mode:04o}", f"chmod 600 {path}")
    return True


def check_exposed(address: str, token: bool) -> None:
    """Refuses a cluster that other machines can reach where there is no token.

    Args:
        address: ``<host>:<port>``.

    Raises:
        ConfigError: It must not be connected to.
        UnusableError: Nobody knows the host.
    """
    if not token and not is_loopback(address):
        raise ConfigError(
            "a Ray cluster that other machines can reach must ask for a token, or anybody there can run code",
            f"{address}, and no token for it",
            f"{_TOKEN_PATH}=<file with the cluster's token>, {_TOKEN}=<token>, or the token in {_USUAL_PATH}",
        )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address.

    Raises:
        UnusableError: Nobody knows the host.
    """
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnusableError(
            "the host in cluster.address must be known", f"{host}: {error.strerror}", "cluster.address=<host>:<port>"
        ) from error
    return all(ipaddress.ip_address(str(where[0]).partition("%")[0]).is_loopback for *_, where in found)


def _is_host_and_port(address: str) -> bool:
    if not _ADDRESS.fullmatch(address):
        return False
    host, port = split_address(address)
    try:
        host.encode("idna")  # as what looks it up does, and fails by no OSError
    except UnicodeError:
        return False
    return 0 < port < 2**16


def _unreadable(path: str, why: str) -> ConfigError:
    rule = "the file with the token of a Ray cluster must hold it"
    return ConfigError(rule, f"{path}: {why}", f"{_TOKEN_PATH}=<file with the cluster's token>")
