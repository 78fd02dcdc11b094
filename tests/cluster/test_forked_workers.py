"""Ray's workers in the Ray that the tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def parent_of_a_worker() -> tuple[int, str]:
    return os.getppid(), Path(f"/proc/{os.getppid()}/cmdline").read_text()


@pytest.mark.usefixtures("ray_cluster")
def test_they_are_forks_of_one_server() -> None:
    import ray

    asked = {"env_vars": {"RAY_CHDIR_TO_TRIAL_DIR": "0"}}  # as Tune does
    ask = ray.remote(parent_of_a_worker).options(runtime_env=asked)
    answers = ray.get([ask.remote() for _ in range(4)])
    assert all("fork_server" in command for _, command in answers)
    assert len({pid for pid, _ in answers}) == 1
