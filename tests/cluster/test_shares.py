"""How many trials fit on the nodes of a cluster: each worker on one of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raytune_nn.cluster.nodes import Node
from raytune_nn.cluster.shares import holding, plan_share
from raytune_nn.config.schema import ClusterConfig, ResourcesConfig
from raytune_nn.errors import ConfigError

HEAD = Node("head", cpus=0, gpus=0, memory=4)
SMALL = Node("small", cpus=3, gpus=0, memory=8)
LARGE = Node("large", cpus=8, gpus=2, memory=32)


def share(cpus: float | None = None, gpus: float | None = None) -> ClusterConfig:
    return ClusterConfig(
        cpus=cpus,
        gpus=gpus,
        address="auto",
        report_every=0.25,
        grace_seconds=20,
        min_nodes=None,
        wait_minutes=10,
        max_slots=None,
    )


def worker(cpus: float = 1, gpus: float = 0, memory: float | None = None, workers: int = 1) -> ResourcesConfig:
    return ResourcesConfig(cpus=cpus, gpus=gpus, memory=memory, workers=workers)


@pytest.mark.parametrize(
    ("wanted", "slots"),
    [
        (worker(), 11),
        (worker(cpus=2), 5),  # one of three CPUs stays free
        (worker(cpus=4), 2),
        (worker(cpus=0.5), 22),
        (worker(gpus=1), 2),
        (worker(gpus=0.5), 4),
        (worker(gpus=0.3), 6),
        (worker(memory=3), 10),  # two on the small node
        (worker(cpus=2, workers=2), 2),  # one trial on both nodes
        (worker(workers=11), 1),
    ],
)
def test_a_worker_is_on_one_node(wanted: ResourcesConfig, slots: int) -> None:
    capacity = plan_share([HEAD, SMALL, LARGE], share(), wanted)
    assert (capacity.cpus, capacity.gpus, capacity.slots, capacity.most) == (11, 2, slots, None)


@pytest.mark.parametrize(
    ("part", "wanted", "most"),
    [
        (share(cpus=4), worker(), 4),
        (share(cpus=4), worker(cpus=3), 1),
        (share(cpus=40), worker(), 40),  # of which 11 fit
        (share(gpus=1), worker(gpus=0.5), 2),
        (share(gpus=1), worker(), None),
        (share(cpus=5), worker(workers=2), 2),
    ],
)
def test_the_study_takes_no_more_than_its_part(part: ClusterConfig, wanted: ResourcesConfig, most: int | None) -> None:
    assert plan_share([HEAD, SMALL, LARGE], part, wanted).most == most


@pytest.mark.parametrize(
    ("wanted", "found", "fix"),
    [
        (worker(cpus=9), "9 CPUs, 0 GPUs; the largest node, large, has 8 CPUs, 2 GPUs, 32.0 GiB", "resources.cpus=8"),
        (worker(cpus=2, gpus=3), "2 CPUs, 3 GPUs; the largest node, large, has 8 CPUs", "resources.gpus=2"),
        (worker(memory=64), "1 CPUs, 0 GPUs, 64 GiB; the largest node, large, has", "resources.memory=32.0"),
        (worker(workers=12), "12 workers of 1 CPUs, 0 GPUs; 11 of them fit", "resources.workers=11"),
    ],
)
def test_what_can_never_be_placed_is_told_with_the_largest_node(wanted: ResourcesConfig, found: str, fix: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plan_share([HEAD, SMALL, LARGE], share(), wanted)
    assert str(raised.value.found).startswith(found)
    assert fix in raised.value.fix


@pytest.mark.parametrize("nodes", [[], [HEAD]])
def test_a_cluster_without_cpus(nodes: list[Node]) -> None:
    with pytest.raises(ConfigError) as raised:
        plan_share(nodes, share(), worker())
    assert raised.value.fix == "add nodes to the cluster, or cluster.max_slots=8 where an autoscaler does"


def test_a_part_that_holds_no_trial() -> None:
    with pytest.raises(ConfigError) as raised:
        plan_share([LARGE], share(cpus=2), worker(cpus=4))
    assert raised.value.fix == "cluster.cpus=null"


@pytest.mark.parametrize(
    ("cpus", "max_slots", "slots", "most"),
    [(None, 64, 11, 64), (None, 3, 3, 3), (20, 64, 11, 20), (40, 16, 11, 16), (5, 64, 5, 5)],
)
def test_a_study_follows_a_cluster_that_grows(cpus: float | None, max_slots: int, slots: int, most: int) -> None:
    capacity = plan_share([HEAD, SMALL, LARGE], replace(share(cpus), max_slots=max_slots), worker(), grows=True)
    assert (capacity.slots, capacity.most, capacity.at_once) == (slots, most, most)


def test_there_need_not_be_room_yet_where_a_cluster_grows() -> None:
    assert plan_share([HEAD], replace(share(), max_slots=8), worker(), grows=True).slots == 0
    assert [node.name for node in holding([HEAD, SMALL, LARGE], worker(cpus=4))] == ["large"]


def test_amounts_are_checked_as_on_one_machine() -> None:
    with pytest.raises(ConfigError, match=r"resources\.cpus must be greater than 0"):
        plan_share([LARGE], share(), worker(cpus=0))
