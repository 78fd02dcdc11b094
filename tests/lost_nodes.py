"""Studies of `failing_module` on a cluster of several nodes that lose some."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoscaled_nodes import Autoscaled
from processes import REPOSITORY, Place, events, new_place, noted_pids, write_options

sys.path.append(str(REPOSITORY / "scripts" / "bench"))
from ray_nodes import RayNode, RayNodes, ray_nodes

FILES = {
    "model/failing.yaml": "{_target_: failing_module.Failing, value: 0.0, does: train, notes: notes}",
    "data/rows.yaml": "{_target_: failing_module.Rows}",
    "search_space/failing.yaml": "{model: {value: 'uniform(0, 1)', does: 'choice(train, long, killed_once)'}}",
}
COMMAND = (
    "+search=random",
    "--config-dir",
    "conf",
    "model=failing",
    "data=rows",
    "optimizer=from_model",
    "search_space=failing",
    "trainer=cpu",
    "cluster=existing",
    "checkpoints.every_minutes=1e-6",
)


@contextmanager
def cluster_and_place(work: Path, *cpus: int) -> Iterator[tuple[RayNodes, Place]]:
    """A cluster, and where commands run that may join it, with the module and its options beside them."""
    write_module(work)
    with (
        tempfile.TemporaryDirectory(prefix="rtn-") as folder,
        ray_nodes(Path(folder), *cpus) as nodes,
        new_place(work, environment=nodes.environment) as place,
    ):
        yield nodes, place


def write_module(work: Path) -> None:
    """The module and its options."""
    (work / "failing_module.py").write_text((REPOSITORY / "tests" / "faults" / "failing_module.py").read_text())
    write_options(work, FILES)


def command(nodes: RayNodes | Autoscaled, name: str, does: Mapping[float, str], *more: str) -> tuple[str, ...]:
    """A study of these trials, by their values."""
    points = ", ".join(f"{{model: {{value: {value}, does: {what}}}}}" for value, what in does.items())
    of_study = (f"study.name={name}", f"search.points=[{points}]", f"budget.num_trials={len(does)}")
    return (*COMMAND, f"cluster.address={nodes.address}", *of_study, *more)


def pids(place: Place, value: float) -> list[int]:
    """The processes that trained the trial of this value, in their order."""
    return noted_pids(place.work / "notes", value)


def node_of(nodes: RayNodes, pid: int) -> RayNode:
    return next(node for node in nodes.nodes if pid in node.processes())


def epochs(place: Place, name: str, trial: str) -> list[int]:
    """That a trial has reported."""
    return [event["epoch"] for event in of(place, name, "reported") if event["trial"] == trial]


def of(place: Place, name: str, kind: str) -> list[dict[str, Any]]:
    """The study's events of a kind, or all of them, so far."""
    return events(place.study(name), kind)
