"""Nobody gets into a study's Ray without its token, and nothing of it can be reached from another machine."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False); print(ray.cluster_resources()['CPU'])"


def connect(address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a process of the same user sees that knows the address."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", CLIENT, address],
        env={**clean, "HOME": "/nonexistent", "RAY_gcs_rpc_server_connect_timeout_s": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def address(ray_cluster: str) -> str:
    import ray

    found: str = ray.get_runtime_context().gcs_address
    return found


@pytest.mark.slow  # a stranger tries for ten seconds
def test_the_token_opens_and_nothing_else_does(address: str, tmp_path: Path) -> None:
    path = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    wrong = tmp_path / "token"
    wrong.write_text("0" * 64)
    for tried in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(wrong)}):
        stranger = connect(address, **tried)
        assert stranger.returncode != 0, stranger.stdout
        assert "nauthenticated" in stranger.stderr.replace("UNAUTHENTICATED", "Unauthenticated"), stranger.stderr
    friend = connect(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(path))
    assert (friend.returncode, friend.stdout.strip()) == (0, "2.0"), friend.stderr
