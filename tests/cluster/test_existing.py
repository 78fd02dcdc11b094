"""Studies on a cluster that runs already, as whole commands: they share it, and leave nothing there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lost_nodes import cluster_and_place, command, epochs, of, pids
from processes import TIMEOUT, Place, is_gone, rows, wait_until

FREE = """
import sys, time
import ray
from raytune_nn.cluster.connect import on_loopback
with on_loopback():
    ray.init(address=sys.argv[1], log_to_driver=False)
end = time.monotonic() + 60
while (free := ray.available_resources().get("CPU")) != 2.0 and time.monotonic() < end:
    time.sleep(0.1)
print(free)
"""


def at_once(place: Place, name: str) -> int:
    """The most trials of a study that ran at the same time."""
    running, most = set[str](), 0
    for kind, trial in [(event["type"], event.get("trial", "")) for event in of(place, name, "")]:
        running.discard(trial) if kind == "ended" else None
        running.update({trial} if kind == "started" else ())
        most = max(most, len(running))
    return most


@pytest.mark.slow
def test_two_studies_share_a_cluster_and_the_death_of_one_driver_frees_its_part(tmp_path: Path) -> None:
    with cluster_and_place(tmp_path, 1, 1) as (nodes, place):
        part = ("cluster.cpus=1", "budget.max_epochs=3")
        killed = command(nodes, "killed", {0.1: "long", 0.2: "long"}, *part)
        other = command(nodes, "other", {0.3: "long", 0.4: "long"}, *part)
        with place.start(*killed) as first, place.start(*other) as second:
            wait_until(lambda: bool(epochs(place, "killed", "0")) or first.poll() is not None, TIMEOUT)
            assert first.poll() is None, first.communicate()
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            slot = pids(place, 0.1)[0]
            wait_until(lambda: is_gone(slot))
            _, err = second.communicate(timeout=TIMEOUT)
        assert second.returncode == 0, err
        assert [row["state"] for row in rows(place.study("other"))] == ["complete"] * 2
        assert max(event["epoch"] for event in of(place, "killed", "reported")) < 3, "else nothing was cut off"
        ran = place.run(*killed)
        assert ran.code == 0, ran.err
        assert [row["state"] for row in rows(place.study("killed"))] == ["complete"] * 2
        for name in ("killed", "other"):
            assert at_once(place, name) == 1, "cluster.cpus is the study's part"
        assert (place.leftovers(), place.processes()) == ([], [])
        _check_free(nodes.address, nodes.environment)
        _check_refused(place, nodes.address, other)


def _check_free(address: str, environment: dict[str, str]) -> None:
    """Soon after the studies no placement group holds any of the cluster's CPUs."""
    known = {**os.environ, **environment, "RAY_AUTH_MODE": "token"}
    seen = subprocess.run([sys.executable, "-c", FREE, address], env=known, capture_output=True, text=True)
    assert seen.stdout.split() == ["2.0"], seen.stderr


def _check_refused(place: Place, address: str, typed: tuple[str, ...]) -> None:
    """With a wrong token nobody gets in, and with too much asked nothing starts."""
    stranger = Place(place.work, place.temporary, environment={"RAY_AUTH_TOKEN": "f" * 64})
    ran = stranger.run(*typed, "study.name=third")
    assert (ran.code, ran.err.splitlines()[0]) == (4, "raytune_nn: the Ray cluster must accept the token")
    assert "f" * 64 not in ran.err
    assert ran.seconds < 30, "Ray itself tries for a minute"
    large = place.run(*typed, "study.name=third", "resources.cpus=2")
    assert large.code == 2
    assert "raytune_nn: a worker of a trial must fit on one node of the cluster" in large.err
    assert "resources.cpus=1" in large.err
    plan = place.run(*typed, "mode=plan")
    assert plan.code == 0, plan.err
    assert "1 trial at once" in plan.out
    assert not place.study("third").exists()
    assert address in " ".join(typed)
