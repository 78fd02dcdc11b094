"""A Ray cluster with Ray's own autoscaler, which adds nodes on this machine for what finds no room."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts" / "bench"))
from ray_nodes import ENVIRONMENT, HOST, RayNode, wait_for

HEAD = "f" * 51 + "00000"  # the id by which Ray's provider of nodes for tests knows it
_AUTOSCALER = {
    "RAY_FAKE_CLUSTER": "1",
    "RAY_enable_autoscaler_v2": "1",  # as KubeRay's
    "RAY_CLOUD_INSTANCE_ID": HEAD,
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
}


@dataclass(frozen=True)
class Autoscaled:
    """Where it is, and the environment of commands that join it."""

    address: str
    environment: dict[str, str]


@contextlib.contextmanager
def autoscaled_nodes(folder: Path, most: int, idle_seconds: float = 10) -> Iterator[Autoscaled]:
    """A head without a core and up to so many nodes of one, while inside.

    Args:
        folder: For its files: empty, with a short path.
        idle_seconds: After which a node that nobody uses ends.
    """
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    token, config = folder / "token", folder / "autoscaler.json"
    with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    config.write_text(json.dumps(_configuration(f"{HOST}:{port}", most, idle_seconds)))
    environment = {"RAY_AUTH_TOKEN_PATH": str(token)}
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), str(port), str(config)],
        env={**os.environ, **ENVIRONMENT, **_AUTOSCALER, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "there\n"
        yield Autoscaled(f"{HOST}:{port}", environment)
    finally:
        RayNode(process, HEAD).kill()


def _configuration(address: str, most: int, idle_seconds: float) -> dict[str, object]:
    worker = {"CPU": 1, "object_store_memory": 100 * 2**20}
    return {
        "cluster_name": "tests",
        "max_workers": most,
        "idle_timeout_minutes": idle_seconds / 60,
        "upscaling_speed": 1.0,
        "provider": {
            "type": "external",  # by its own name, Ray's installed package lacks a file for it
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "launch_multiple": True,
            "head_node_id": HEAD,
            "gcs_address": address,
        },
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": worker, "node_config": {}, "min_workers": 0, "max_workers": most},
        },
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
        **{f"{what}_commands": [] for what in ("initialization", "setup", "head_setup", "worker_setup")},
        **{f"{what}_start_ray_commands": [] for what in ("head", "worker")},
    }


def _start(folder: str, port: int, config: str) -> None:
    """Starts the head and keeps it until standard input ends."""
    from ray._private import utils
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    for unused in ("start_api_server", "start_log_monitor"):
        mock.patch.object(Node, unused).start()
    mock.patch.object(utils, "get_dashboard_dependency_error", return_value=ImportError()).start()
    params = RayParams(
        num_cpus=0,
        num_gpus=0,
        object_store_memory=100 * 2**20,
        temp_dir=folder,
        node_ip_address=HOST,
        include_dashboard=False,
        min_worker_port=0,
        max_worker_port=0,
        node_manager_port=0,
        gcs_server_port=port,
        autoscaling_config=config,
    )
    node = Node(params, head=True, shutdown_at_exit=True, spawn_reaper=False)
    wait_for(node.gcs_address, node.node_id)
    print("there", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _start(sys.argv[1], int(sys.argv[2]), sys.argv[3])
