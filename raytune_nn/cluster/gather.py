"""Waits until enough nodes are in a cluster for a study to begin.

An autoscaler adds nodes for placement groups that find no room, so the wait itself asks for some: what a study begins
with is reserved while it waits, and given back at once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from raytune_nn.cluster.nodes import Node, alive_nodes
from raytune_nn.cluster.resources import worker_bundle
from raytune_nn.cluster.shares import count_slots, holding, never_placed
from raytune_nn.config.schema import ClusterConfig, ResourcesConfig
from raytune_nn.errors import RaytuneError, UnusableError

Say = Callable[[str], None]

LOOK_SECONDS = 0.5
SHOWN = 5  # nodes in a message


def gather(address: str, cluster: ClusterConfig, resources: ResourcesConfig, say: Say) -> int:
    """Waits for ``cluster.min_nodes``, and for room for one trial.

    Args:
        address: Of the cluster, which this process has joined.
        say: Told what is waited for, whenever it changes.

    Returns:
        The trials that fit by then.

    Raises:
        ConfigError: A trial does not fit on what is there within ``cluster.wait_minutes``.
        UnusableError: Fewer nodes are there by then.
    """
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    client, wanted = GcsClient(address=address), cluster.min_nodes or 1
    nodes = alive_nodes(client)
    if not _lacks(nodes, wanted, resources):
        return count_slots(nodes, resources)
    end, told = time.monotonic() + 60 * cluster.wait_minutes, ""
    with _reserved(wanted, resources):
        while lacks := _lacks(nodes, wanted, resources):
            if lacks != told:
                say(f"waiting for {lacks}, {cluster.wait_minutes:g} minutes at most")
                told = lacks
            if time.monotonic() > end:
                raise _too_few(nodes, wanted, cluster, resources)
            time.sleep(LOOK_SECONDS)
            nodes = alive_nodes(client)
    return count_slots(nodes, resources)


def _lacks(nodes: Sequence[Node], wanted: int, resources: ResourcesConfig) -> str:
    """What is not there yet; empty where nothing is missing."""
    there = len(holding(nodes, resources))
    if there < wanted:
        return f"nodes with room for a worker of a trial: {there} of {wanted} are there"
    return "" if count_slots(nodes, resources) else "room for all workers of a trial"


@contextlib.contextmanager
def _reserved(wanted: int, resources: ResourcesConfig) -> Iterator[None]:
    """Asks for a worker on each of so many nodes, and for one trial."""
    from ray.util import placement_group, remove_placement_group

    bundle = worker_bundle(resources, resources.gpus)
    groups = [
        placement_group([bundle] * wanted, strategy="STRICT_SPREAD"),
        placement_group([bundle] * resources.workers),
    ]
    try:
        yield
    finally:
        for group in groups:
            remove_placement_group(group)


def _too_few(nodes: Sequence[Node], wanted: int, cluster: ClusterConfig, resources: ResourcesConfig) -> RaytuneError:
    there = len(holding(nodes, resources))
    if count_slots(nodes, resources) == 0 and (not there or there >= wanted):
        return never_placed(nodes, resources)
    named = [f"{node.name}: {node.cpus:g} CPUs, {node.gpus:g} GPUs, {node.memory:.1f} GiB" for node in nodes[:SHOWN]]
    more = [f"and {len(nodes) - SHOWN} more"] if len(nodes) > SHOWN else []
    return UnusableError(
        f"cluster.min_nodes={wanted} nodes that can hold a worker of a trial must be there in cluster.wait_minutes",
        f"{there} after {cluster.wait_minutes:g} minutes ({'; '.join([*named, *more])})",
        f"cluster.min_nodes={there}, or a longer cluster.wait_minutes" if there else "a longer cluster.wait_minutes",
    )
