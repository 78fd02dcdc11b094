"""What a Pod does when it is told to end, run as Kubernetes runs it: among the Pod's own processes only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from raytune_nn.cluster.submit.kuberay_pods import END_DRIVER

DRIVER = """
import pathlib, signal, sys, time
place = pathlib.Path(sys.argv[1])
def save(*_):
    time.sleep(0.3)
    (place / "saved").touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
(place / "ready").touch()
time.sleep(30)
"""
POD = """
cd {place}/work
{driver}
while [ ! -e {place}/ready ]; do sleep 0.05; done
bash -c "$HOOK"
wait $driver; echo "the driver ended with $?"
"""


def in_a_pod(place: Path, driver: str) -> str:
    """What the hook does in a process namespace of its own, where it finds a driver that saves before it ends."""
    (place / "work/raytune_nn").mkdir(parents=True)
    (place / "work/raytune_nn/__main__.py").write_text(DRIVER)
    (place / "bin").mkdir()
    ray = place / "bin/ray"
    ray.write_text(f'#!/bin/sh\n[ -e {place}/saved ] && echo "saved before ray $1" || echo "ray $1 alone"\n')
    ray.chmod(0o755)
    known = {"HOOK": END_DRIVER, "PATH": f"{place}/bin:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "bash", "-c", POD.format(place=place, driver=driver)],
        env=known,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "Operation not permitted" in ran.stderr:
        pytest.skip(f"needs the permission to make a namespace (CAP_SYS_ADMIN): {ran.stderr.strip()}")
    assert not ran.stderr, ran.stderr
    return ran.stdout


def test_the_head_tells_the_driver_and_waits_until_it_has_saved(tmp_path: Path) -> None:
    shown = in_a_pod(tmp_path, f"python3 -m raytune_nn {tmp_path} +search=asha & driver=$!")
    assert shown.splitlines() == ["saved before ray stop", "the driver ended with 75"]


def test_a_head_whose_driver_has_ended_ends_at_once(tmp_path: Path) -> None:
    shown = in_a_pod(tmp_path, f"touch {tmp_path}/ready; true & driver=$!")
    assert shown.splitlines() == ["ray stop alone", "the driver ended with 0"]
