"""A Ray cluster of several nodes on this machine, for tests and benches: each node can be killed, as by a power cut.

Every node is a process that has started Ray's for it, and takes them with it. The cluster listens on loopback only and
asks for a token; a lost node is known as such within seconds (Ray's default: half a minute).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

HOST = "127.0.0.1"
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
}


@dataclass(frozen=True)
class RayNode:
    """One node; ``id`` is Ray's, as hex."""

    process: subprocess.Popen[str]
    id: str

    def kill(self) -> None:
        """Ends all processes of the node at once."""
        for pid in [self.process.pid, *_descendants(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def processes(self) -> list[int]:
        """Of the node, its workers among them."""
        return _descendants(self.process.pid)

    def slots(self) -> list[int]:
        """Those of its processes that train trials; Ray's agents, with which the whole node ends, are none."""
        return [pid for pid in self.processes() if _title(pid).startswith(b"ray::ResourceTrainable")]  # by Ray Tune


class RayNodes:
    """A cluster whose first node is its head.

    Args:
        folder: For its files: empty, with a short path. It is left as it is.
        cpus: Of each node, as they are told to Ray.
    """

    def __init__(self, folder: Path, cpus: tuple[int, ...]) -> None:
        self._folder, self.nodes, self.address = folder, list[RayNode](), ""
        self.token = folder / "token"
        with open(os.open(self.token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        for each in cpus:
            self.add(each)

    @property
    def environment(self) -> dict[str, str]:
        """Of commands that join it."""
        return {"RAY_AUTH_TOKEN_PATH": str(self.token)}

    def add(self, cpus: int, hidden: Sequence[Path] = ()) -> RayNode:
        """Starts one more node, and returns once it is there.

        Args:
            hidden: Folders that are empty there, as those of another machine; hiding takes the permission to mount.
        """
        start = [sys.executable, __file__, str(self._folder), str(cpus), self.address]
        process = subprocess.Popen(
            _without(hidden, start) if hidden else start,
            env={**os.environ, **ENVIRONMENT, **self.environment},
            stdin=subprocess.PIPE,  # the node ends with it, and so with this process
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        address, _, id = process.stdout.readline().strip().partition(" ")
        node = RayNode(process, id)
        if not id:
            node.kill()
            raise RuntimeError("a node of the Ray cluster did not start")
        self.address = self.address or address
        self.nodes.append(node)
        return node

    def kill(self, node: RayNode) -> None:
        """A power cut of one node."""
        node.kill()
        self.nodes.remove(node)

    def end(self) -> None:
        """Ends all that is left of it."""
        for node in reversed(self.nodes):
            node.kill()
        self.nodes.clear()


@contextlib.contextmanager
def ray_nodes(folder: Path, *cpus: int) -> Iterator[RayNodes]:
    """A cluster while inside."""
    nodes = RayNodes(folder, cpus)
    try:
        yield nodes
    finally:
        nodes.end()


def _without(hidden: Sequence[Path], command: Sequence[str]) -> list[str]:
    """The command in a view of the file system of its own."""
    mounts = " && ".join(f"mount -t tmpfs none {shlex.quote(str(folder))}" for folder in hidden)
    return ["unshare", "--mount", "sh", "-c", f"{mounts} && exec {shlex.join(command)}"]


def _title(pid: int) -> bytes:
    with contextlib.suppress(OSError):  # it has ended
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = list(children.get(pid, []))
    for each in found:
        found += children.get(each, [])
    return found


def _start(folder: str, cpus: int, address: str) -> None:
    """Starts a node and keeps it until standard input ends."""
    from ray._private import utils
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    for unused in ("start_api_server", "start_monitor", "start_log_monitor"):
        mock.patch.object(Node, unused).start()
    mock.patch.object(utils, "get_dashboard_dependency_error", return_value=ImportError()).start()
    params = RayParams(
        num_cpus=cpus,
        num_gpus=0,
        object_store_memory=100 * 2**20,
        temp_dir=folder,
        node_ip_address=HOST,
        include_dashboard=False,
        min_worker_port=0,
        max_worker_port=0,
        node_manager_port=0,
        gcs_address=address or None,
    )
    node = Node(params, head=not address, shutdown_at_exit=True, spawn_reaper=False)
    wait_for(node.gcs_address, node.node_id)
    print(node.gcs_address, node.node_id, flush=True)
    sys.stdin.read()


def wait_for(address: str, id: str) -> None:
    """Returns once a node is there."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    client = GcsClient(address=address)
    while not any(node.hex() == id for node in client.get_all_node_info(timeout=10)):
        time.sleep(0.05)


if __name__ == "__main__":
    _start(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
