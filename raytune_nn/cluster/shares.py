"""How many trials fit on the nodes of a cluster that runs already."""

from __future__ import annotations

from collections.abc import Sequence

from raytune_nn.cluster.nodes import Node
from raytune_nn.cluster.resources import Capacity, check_amounts, times
from raytune_nn.config.schema import ClusterConfig, ResourcesConfig
from raytune_nn.errors import ConfigError


def plan_share(
    nodes: Sequence[Node], cluster: ClusterConfig, resources: ResourcesConfig, grows: bool = False
) -> Capacity:
    """Counts the slots: each worker of a trial is on one node, several may be on several.

    Args:
        cluster: Its ``cpus``, ``gpus`` and ``max_slots`` are the most that the study may use.
        grows: Whether more nodes are to come, so that there need not be room for a trial yet.

    Raises:
        ConfigError: A resource is negative or zero, or a single trial does not fit.
    """
    check_amounts(cluster, resources)
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    slots = count_slots(nodes, resources)
    if slots == 0 and not grows:
        raise never_placed(nodes, resources)
    most = min((number for number in (cluster.max_slots, _part(cluster, resources)) if number), default=None)
    return Capacity(cpus, gpus, slots if most is None else min(slots, most), most)


def count_slots(nodes: Sequence[Node], resources: ResourcesConfig) -> int:
    """Trials that fit on these nodes when nothing else is there."""
    return sum(_workers(node, resources) for node in nodes) // resources.workers


def holding(nodes: Sequence[Node], resources: ResourcesConfig) -> list[Node]:
    """The nodes that can hold a worker of a trial."""
    return [node for node in nodes if _workers(node, resources)]


def _part(cluster: ClusterConfig, resources: ResourcesConfig) -> int | None:
    """Trials in the study's part of the cluster, by ``cluster.cpus`` and ``cluster.gpus``; None: it has the whole."""
    parts = []
    for name, wanted in (("cpus", resources.cpus), ("gpus", resources.gpus)):
        most = getattr(cluster, name)
        if most is None or not wanted:
            continue
        parts.append(times(most, wanted * resources.workers))
        if parts[-1] == 0:
            rule = f"one trial must fit the study's part of the cluster: resources.{name} <= cluster.{name}"
            asked = f"resources.{name}={wanted:g} x {resources.workers} workers, cluster.{name}={most:g}"
            raise ConfigError(rule, asked, f"cluster.{name}=null")
    return min(parts, default=None)


def _workers(node: Node, resources: ResourcesConfig) -> int:
    fitting = [times(node.cpus, resources.cpus)]
    if resources.gpus:
        whole = resources.gpus >= 1
        fitting.append(times(node.gpus, resources.gpus) if whole else int(node.gpus) * times(1, resources.gpus))
    if resources.memory is not None:
        fitting.append(times(node.memory, resources.memory) if resources.memory > 0 else 0)
    return min(fitting)


def never_placed(nodes: Sequence[Node], resources: ResourcesConfig) -> ConfigError:
    """Says what a trial asks for, and what there is."""
    workers = sum(_workers(node, resources) for node in nodes)
    memory = "" if resources.memory is None else f", {resources.memory:g} GiB"
    asked = f"{resources.cpus:g} CPUs, {resources.gpus:g} GPUs{memory}"
    if workers:
        rule = "all workers of a trial must fit on the nodes of the cluster"
        found = f"{resources.workers} workers of {asked}; {workers} of them fit"
        return ConfigError(rule, found, f"resources.workers={workers}")
    rule = "a worker of a trial must fit on one node of the cluster"
    there = max(nodes, key=lambda node: (min(node.gpus, resources.gpus), node.cpus, node.memory), default=None)
    if there is None or there.cpus < 1:
        return ConfigError(
            rule,
            f"{asked}; no node has a CPU",
            "add nodes to the cluster, or cluster.max_slots=8 where an autoscaler does",
        )
    largest = f"{there.cpus:g} CPUs, {there.gpus:g} GPUs, {there.memory:.1f} GiB"
    fix = [f"resources.cpus={min(there.cpus, resources.cpus):g}", f"resources.gpus={min(there.gpus, resources.gpus):g}"]
    if resources.memory is not None:
        fix.append(f"resources.memory={max(0.1, min(there.memory, resources.memory)):.1f}")
    return ConfigError(rule, f"{asked}; the largest node, {there.name}, has {largest}", " ".join(fix))
