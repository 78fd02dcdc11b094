"""What a Ray cluster that runs already has, asked of its head without joining it."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from raytune_nn.cluster.access import AUTO, check_address, check_exposed, has_token, split_address
from raytune_nn.cluster.connect import ENVIRONMENT, on_loopback
from raytune_nn.cluster.undisturbed import import_ray
from raytune_nn.errors import UnusableError

ANSWER_SECONDS = 5.0  # in which a head answers; Ray itself would try for minutes
_START = "ray start --head (RAY_AUTH_MODE=token), or cluster.address=null for a private Ray on this machine"


@dataclass(frozen=True)
class Node:
    """What one machine of a cluster has in all, free or not."""

    name: str
    cpus: float
    gpus: float
    memory: float  # GiB


@dataclass(frozen=True)
class RunningCluster:
    """A cluster that answers, and that may be connected to."""

    address: str  # <host>:<port>
    nodes: tuple[Node, ...]


def find_cluster(address: str) -> RunningCluster:
    """Looks at the cluster of ``cluster.address``; prepares this process's environment for it, and imports Ray.

    Raises:
        ConfigError: The address is none, or must not be connected to.
        UnusableError: No cluster answers there, it refuses the token, or it runs other versions.
    """
    check_address(address)
    token = has_token()
    if address != AUTO:
        check_exposed(address, token)
        _check_open(address)
    os.environ.update(ENVIRONMENT, RAY_AUTH_MODE="token" if token else "disabled")
    import_ray()
    if address == AUTO:
        address = _found_here()
        check_exposed(address, token)
        _check_open(address)
    with answering(address), _no_words():
        return _ask(address)


@contextmanager
def answering(address: str) -> Iterator[None]:
    """What Ray says inside, while it connects, becomes an error that a user can mend.

    Raises:
        UnusableError: In place of any error but ours.
    """
    from ray.exceptions import AuthenticationError

    try:
        yield
    except UnusableError:
        raise
    except AuthenticationError as error:
        raise UnusableError(
            "the Ray cluster must accept the token",
            f"{address}: {str(error).partition('. ')[0]}",
            "RAY_AUTH_TOKEN_PATH=<file with the token of this cluster>",
        ) from error
    except Exception as error:
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnusableError("a Ray cluster must answer at cluster.address", f"{address}: {words}", _START) from error


@contextmanager
def _no_words() -> Iterator[None]:
    """Ray's client writes to the terminal, past Python, what is an error of ours."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _check_open(address: str) -> None:
    try:
        socket.create_connection(split_address(address), ANSWER_SECONDS).close()
    except OSError as error:
        rule = "a Ray cluster must answer at cluster.address"
        raise UnusableError(rule, f"{address}: {error.strerror or error}", _START) from error


def _found_here() -> str:
    """Of the cluster that Ray finds; loopback stays loopback, which Ray takes for the machine's address."""
    from ray._private import services

    with answering("cluster.address=auto"), on_loopback():
        found = services.canonicalize_bootstrap_address(AUTO)
    if found is None:
        rule = "a Ray cluster must answer at cluster.address"
        raise UnusableError(rule, "cluster.address=auto: RAY_ADDRESS=local, which is none", _START)
    return found


def _ask(address: str) -> RunningCluster:
    import ray
    from ray._common.usage.usage_lib import get_cluster_metadata
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    client = GcsClient(address=address)
    known = get_cluster_metadata(client) or {}
    theirs = [str(known.get(name, "unknown")) for name in ("ray_version", "python_version")]
    ours = [ray.__version__, platform.python_version()]
    if known and theirs != ours:
        both = [f"Ray {versions[0]} and Python {versions[1]}" for versions in (theirs, ours)]
        rule = "the cluster must run the same versions of Ray and Python as this command"
        found = f"{both[0]} at {address}, {both[1]} here"
        raise UnusableError(rule, found, f"pip install ray=={theirs[0]}, in a Python {theirs[1]}")
    return RunningCluster(address, alive_nodes(client))


def alive_nodes(client: Any) -> tuple[Node, ...]:
    """Those that a cluster has now.

    Args:
        client: Ray's own to the cluster's head, a ``GcsClient``.
    """
    found = client.get_all_node_info(timeout=ANSWER_SECONDS).values()
    return tuple(_node(info) for info in found if info.state == info.ALIVE)


def _node(info: Any) -> Node:
    there = info.resources_total
    name = info.node_manager_hostname or info.node_manager_address
    return Node(name, there.get("CPU", 0.0), there.get("GPU", 0.0), there.get("memory", 0.0) / 2**30)
