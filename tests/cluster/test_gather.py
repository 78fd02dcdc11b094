"""Waiting until a study may begin; between real nodes in test_growing.py."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from raytune_nn.cluster import gather as module
from raytune_nn.cluster.gather import gather
from raytune_nn.cluster.nodes import Node
from raytune_nn.config.schema import ClusterConfig, ResourcesConfig
from raytune_nn.errors import ConfigError, RaytuneError, UnusableError

HEAD = Node("head", cpus=0, gpus=0, memory=4)
ONE, TWO = Node("one", cpus=2, gpus=0, memory=8), Node("two", cpus=2, gpus=0, memory=8)
WORKER = ResourcesConfig(cpus=1, gpus=0, memory=None, workers=1)


def wanted(min_nodes: int | None, minutes: float = 1, max_slots: int | None = None) -> ClusterConfig:
    return ClusterConfig(
        cpus=None,
        gpus=None,
        address="auto",
        report_every=0.25,
        grace_seconds=20,
        min_nodes=min_nodes,
        wait_minutes=minutes,
        max_slots=max_slots,
    )


class Joining:
    """Nodes that come one after the other, a look each; the clock goes on by what is slept."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes, self.looks, self.slept, self.said = nodes, 0, 0.0, list[str]()
        self.reserved = list[int]()  # nodes that were asked for, and given back

    def alive(self, client: object) -> tuple[Node, ...]:
        self.looks += 1
        return self.nodes[: self.looks]

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    @contextlib.contextmanager
    def reserve(self, wanted: int, resources: ResourcesConfig) -> Iterator[None]:
        try:
            yield
        finally:
            self.reserved.append(wanted)

    def gather(self, cluster: ClusterConfig, resources: ResourcesConfig = WORKER) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ray._raylet.GcsClient", lambda address: address)
            patch.setattr(module, "alive_nodes", self.alive)
            patch.setattr(module, "_reserved", self.reserve)
            patch.setattr(f"{module.__name__}.time.sleep", self.sleep)
            patch.setattr(f"{module.__name__}.time.monotonic", lambda: self.slept)
            return gather("127.0.0.1:6379", cluster, resources, self.said.append)

    def refused(self, cluster: ClusterConfig, resources: ResourcesConfig = WORKER) -> RaytuneError:
        with pytest.raises(RaytuneError) as raised:
            self.gather(cluster, resources)
        return raised.value


def test_nothing_is_waited_for_or_reserved_where_all_is_there() -> None:
    joining = Joining(ONE)
    assert joining.gather(wanted(None)) == 2
    assert (joining.slept, joining.said, joining.reserved) == (0, [], [])


def test_nodes_without_room_for_a_worker_do_not_count() -> None:
    joining = Joining(HEAD, ONE, TWO)
    assert joining.gather(wanted(2)) == 4
    assert [line.partition(":")[2] for line in joining.said] == [
        " 0 of 2 are there, 1 minutes at most",
        " 1 of 2 are there, 1 minutes at most",
    ]
    assert joining.reserved == [2]


def test_room_for_a_first_trial_is_waited_for_where_a_cluster_is_to_grow() -> None:
    joining = Joining(HEAD, HEAD, ONE)
    assert joining.gather(wanted(None, max_slots=8)) == 2
    assert joining.slept > 0


def test_all_workers_of_a_trial_have_room_before_it_begins() -> None:
    joining = Joining(ONE, TWO)
    several = ResourcesConfig(cpus=1, gpus=0, memory=None, workers=4)
    assert joining.gather(wanted(None, max_slots=1), several) == 1
    assert joining.said == ["waiting for room for all workers of a trial, 1 minutes at most"]


def test_too_few_nodes_are_told_with_those_that_are_there() -> None:
    joining = Joining(HEAD, ONE)
    error = joining.refused(wanted(3, minutes=0.5))
    assert isinstance(error, UnusableError)
    assert error.rule.startswith("cluster.min_nodes=3 nodes that can hold a worker of a trial")
    assert error.found == "1 after 0.5 minutes (head: 0 CPUs, 0 GPUs, 4.0 GiB; one: 2 CPUs, 0 GPUs, 8.0 GiB)"
    assert error.fix == "cluster.min_nodes=1, or a longer cluster.wait_minutes"
    assert 30 < joining.slept < 32
    assert joining.reserved == [3], "nothing stays asked for"


def test_a_trial_that_is_never_placed_is_told_with_the_largest_node() -> None:
    error = Joining(HEAD, ONE).refused(wanted(None, max_slots=4), ResourcesConfig(4, 0, None, 1))
    assert isinstance(error, ConfigError)
    assert str(error.found).startswith("4 CPUs, 0 GPUs; the largest node, one, has 2 CPUs, 0 GPUs, 8.0 GiB")
    assert "resources.cpus=2" in error.fix
