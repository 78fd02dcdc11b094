"""Nobody gets into a study's Ray without its token, and nothing of it can be reached from another machine."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from processes import wait_until

from raytune_nn.cluster.reaper import VARIABLE

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
CLIENT = """
import sys
from ray._raylet import GcsClient
print(len(GcsClient(address=sys.argv[1]).get_all_node_info(timeout=60)), "node")
"""


def connect(address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a process of the same user sees that knows the address."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", CLIENT, address],
        env={**clean, "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def address(ray_cluster: str) -> str:
    import ray

    found: str = ray.get_runtime_context().gcs_address
    return found


def test_the_token_opens_and_nothing_else_does(address: str, tmp_path: Path) -> None:
    path = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    wrong = tmp_path / "token"
    wrong.write_text("0" * 64)
    for tried in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(wrong)}):
        stranger = connect(address, **tried)
        assert stranger.returncode != 0, stranger.stdout
        assert "AuthenticationError" in stranger.stderr, stranger.stderr
    friend = connect(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(path))
    assert (friend.returncode, friend.stdout.strip()) == (0, "1 node"), friend.stderr


def _listening(pid: str) -> Iterator[str]:
    """The addresses where a process accepts connections, in hexadecimal, as the kernel lists them."""
    inodes = set()
    for file in Path("/proc", pid, "fd").glob("*"):
        with suppress(OSError):
            inodes.add(os.readlink(file))
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                yield fields[1].partition(":")[0]


def test_nothing_of_it_listens_to_the_network(address: str) -> None:
    import ray

    @ray.remote
    def in_a_slot() -> list[str]:
        return list(_listening(str(os.getpid())))

    def found() -> list[str]:
        mark = os.fsencode(f"\0{VARIABLE}={os.environ[VARIABLE]}\0")
        ours = [str(os.getpid())]
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in b"\0" + (folder / "environ").read_bytes():
                    ours.append(folder.name)
        return [host for pid in ours for host in _listening(pid)]

    assert address.startswith("127.0.0.1:")
    of_the_slot: list[str] = ray.get(in_a_slot.remote())
    assert set(of_the_slot) <= LOOPBACK
    wait_until(lambda: len(found()) >= 6)  # driver, store of state, scheduler (two) and its two agents
    assert set(found()) <= LOOPBACK
