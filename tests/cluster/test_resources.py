"""How many trials fit at once, and which amounts are refused."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raytune_nn.cluster import resources as module
from raytune_nn.cluster.resources import (
    Capacity,
    found_gpus,
    plan_capacity,
    total_memory,
    trials_on_one_gpu,
    usable_cpus,
)
from raytune_nn.config.schema import ClusterConfig, ResourcesConfig
from raytune_nn.errors import ConfigError


def cluster(cpus: float | None = 8, gpus: float | None = 4, address: str | None = None) -> ClusterConfig:
    return ClusterConfig(
        cpus=cpus,
        gpus=gpus,
        address=address,
        report_every=0.25,
        grace_seconds=20,
        min_nodes=None,
        wait_minutes=10,
        max_slots=None,
    )


def worker(cpus: float = 1, gpus: float = 0, memory: float | None = None, workers: int = 1) -> ResourcesConfig:
    return ResourcesConfig(cpus=cpus, gpus=gpus, memory=memory, workers=workers)


def refused(there: ClusterConfig, wanted: ResourcesConfig) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        plan_capacity(there, wanted)
    return raised.value


@pytest.mark.parametrize(
    ("wanted", "slots"),
    [
        (worker(), 8),
        (worker(cpus=3), 2),
        (worker(cpus=8), 1),
        (worker(cpus=0.5), 16),
        (worker(cpus=0.1), 80),
        (worker(gpus=1), 4),
        (worker(gpus=2), 2),
        (worker(gpus=0.25), 8),  # the cores end before the GPUs
        (worker(cpus=0.25, gpus=0.25), 16),
        (worker(gpus=0.3, cpus=0.1), 12),  # three a GPU
        (worker(gpus=0.6), 4),
    ],
)
def test_slots_are_the_least_of_what_each_resource_allows(wanted: ResourcesConfig, slots: int) -> None:
    assert plan_capacity(cluster(), wanted) == Capacity(8, 4, slots)


@pytest.mark.parametrize(
    ("share", "slots", "trials"),
    [(0.25, 8, 4), (0.25, 3, 3), (0.1, 99, 10), (0.3, 8, 3), (0.6, 8, 1), (0, 8, 1), (1, 8, 1), (2, 8, 1)],
)
def test_trials_share_a_gpu_where_each_wants_a_part(share: float, slots: int, trials: int) -> None:
    assert trials_on_one_gpu(Capacity(8, 4, slots), worker(gpus=share)) == trials


def test_a_fraction_that_is_not_exact_in_binary_fits_as_often_as_it_should() -> None:
    assert 7 / 0.07 < 100
    assert plan_capacity(cluster(cpus=7), worker(cpus=0.07)).slots == 100


@pytest.mark.parametrize(("memory", "slots"), [(16.0, 1), (5.0, 3), (1.0, 8)])
def test_memory_counts_where_it_is_given(monkeypatch: pytest.MonkeyPatch, memory: float, slots: int) -> None:
    monkeypatch.setattr(module, "total_memory", lambda: 16.0)
    assert plan_capacity(cluster(), worker(memory=memory)).slots == slots


def test_what_is_found_counts_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cpus", lambda: 6)
    monkeypatch.setattr(module, "found_gpus", lambda: 3)
    assert plan_capacity(cluster(None, None), worker(gpus=1)) == Capacity(6, 3, 3)


@pytest.mark.parametrize("cpus", [0, -1, math.nan, math.inf])
def test_a_trial_needs_some_of_a_core(cpus: float) -> None:
    error = refused(cluster(), worker(cpus=cpus))
    assert error.rule == "resources.cpus must be greater than 0"
    assert error.fix == "resources.cpus=1"


@pytest.mark.parametrize("gpus", [-1, math.nan, math.inf])
def test_gpus_cannot_be_negative(gpus: float) -> None:
    error = refused(cluster(), worker(gpus=gpus))
    assert (error.rule, error.fix) == ("resources.gpus must not be negative", "resources.gpus=0")


def test_more_than_one_gpu_comes_whole() -> None:
    error = refused(cluster(), worker(gpus=1.5))
    assert (error.found, error.fix) == (1.5, "resources.gpus=2")


@pytest.mark.parametrize("cpus", [0, -2, 1.5, 0.5, math.nan, math.inf])
def test_a_cluster_has_whole_cores(cpus: float) -> None:
    """Ray counts whole ones: a trial of 1.5 on a cluster of 1.5 would wait for ever."""
    error = refused(cluster(cpus=cpus), worker(cpus=0.5))
    assert error.rule == "cluster.cpus must be a whole number of at least 1"
    assert error.fix == "cluster.cpus=null"


@pytest.mark.parametrize("gpus", [-1, 0.5, math.nan, math.inf])
def test_a_cluster_has_whole_gpus(gpus: float) -> None:
    assert refused(cluster(gpus=gpus), worker()).rule == "cluster.gpus must be a whole number of at least 0"


@pytest.mark.parametrize(
    ("there", "wanted", "found", "fix"),
    [
        (cluster(), worker(cpus=9), "resources.cpus=9, cluster.cpus=8", "resources.cpus=8"),
        (cluster(), worker(gpus=5), "resources.gpus=5, cluster.gpus=4", "resources.gpus=4"),
        (cluster(gpus=0), worker(gpus=1), "resources.gpus=1, cluster.gpus=0", "resources.gpus=0"),
    ],
)
def test_one_trial_must_fit(there: ClusterConfig, wanted: ResourcesConfig, found: str, fix: str) -> None:
    error = refused(there, wanted)
    assert error.rule.startswith("one trial must fit the cluster: ")
    assert (error.found, error.fix) == (found, fix)
    assert fix.partition("=")[0] in error.rule


@pytest.mark.parametrize("memory", [0.0, -1.0, 16.5, math.nan, math.inf])
def test_memory_must_fit_the_machine(monkeypatch: pytest.MonkeyPatch, memory: float) -> None:
    monkeypatch.setattr(module, "total_memory", lambda: 16.0)
    error = refused(cluster(), worker(memory=memory))
    assert error.rule == "resources.memory (GiB) must be positive and fit the machine"
    assert error.fix == "resources.memory=2.0"  # so much for each of the slots


def test_there_is_a_worker() -> None:
    assert refused(cluster(), worker(workers=0)).fix == "resources.workers=1"


@pytest.mark.parametrize(
    ("wanted", "slots"),
    [
        (worker(workers=2), 4),
        (worker(workers=3), 2),
        (worker(cpus=2, workers=4), 1),
        (worker(cpus=0.5, workers=5), 3),
        (worker(gpus=1, workers=2), 2),
        (worker(gpus=1, workers=4), 1),
    ],
)
def test_a_slot_holds_all_workers_of_a_trial(wanted: ResourcesConfig, slots: int) -> None:
    assert plan_capacity(cluster(), wanted) == Capacity(8, 4, slots)


def test_the_workers_of_a_trial_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "total_memory", lambda: 16.0)
    assert plan_capacity(cluster(), worker(memory=4, workers=2)).slots == 2
    error = refused(cluster(), worker(memory=9, workers=2))
    assert (error.found, error.fix) == ("9 x 2 workers of 16.0 GiB", "resources.memory=2.0")


@pytest.mark.parametrize(
    ("wanted", "found", "fix"),
    [
        (worker(workers=9), "resources.cpus=1 x 9 workers, cluster.cpus=8", "resources.workers=8"),
        (worker(gpus=1, workers=5), "resources.gpus=1 x 5 workers, cluster.gpus=4", "resources.workers=4"),
        (worker(cpus=9, workers=2), "resources.cpus=9 x 2 workers, cluster.cpus=8", "resources.cpus=8"),
        (worker(gpus=0.5, workers=2), "resources.gpus=0.5, resources.workers=2", "resources.gpus=1"),
        (worker(gpus=2, workers=2), "resources.gpus=2, resources.workers=2", "resources.gpus=1"),
    ],
)
def test_workers_that_can_never_be_placed_are_refused(wanted: ResourcesConfig, found: str, fix: str) -> None:
    error = refused(cluster(), wanted)
    assert (error.found, error.fix) == (found, fix)


def test_cores_are_those_that_this_process_may_use() -> None:
    assert usable_cpus() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("-1", 0), ("0", 1), ("0,2, 3", 3), ("GPU-a,GPU-b", 2)])
def test_gpus_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch, visible: str, count: int) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert found_gpus() == count


def test_memory_is_that_of_the_container_where_it_has_less(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"/sys/fs/cgroup/memory.max": str(2**30)}

    def read(path: Path) -> str:
        if str(path) not in texts:
            raise FileNotFoundError(path)
        return texts[str(path)] + "\n"

    monkeypatch.setattr(Path, "read_text", read)
    assert total_memory() == 1.0
    texts["/sys/fs/cgroup/memory.max"] = "max"
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    assert total_memory() == machine
    texts["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = str(2**29)
    assert total_memory() == 0.5


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_reports_cannot_be_gathered_for_ever(seconds: float) -> None:
    there = cluster()
    there.report_every = seconds
    assert refused(there, worker()).fix == "cluster.report_every=0.25"
    there.report_every = 0.0
    assert plan_capacity(there, worker()).slots == 8


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_a_grace_has_an_end(seconds: float) -> None:
    there = cluster()
    there.grace_seconds = seconds
    assert refused(there, worker()).fix == "cluster.grace_seconds=20"
    there.grace_seconds = 0.0
    assert plan_capacity(there, worker()).slots == 8


def test_a_private_ray_runs_no_more_than_max_slots_trials() -> None:
    assert plan_capacity(replace(cluster(), max_slots=3), worker()) == Capacity(8, 4, 3, 3)
    assert plan_capacity(replace(cluster(), max_slots=30), worker()) == Capacity(8, 4, 8, 8), "it does not grow"


@pytest.mark.parametrize(
    ("changed", "found", "fix"),
    [
        ({"max_slots": 0}, "0", "cluster.max_slots=null"),
        ({"min_nodes": 0}, "0", "cluster.min_nodes=null"),
        ({"min_nodes": 2}, "cluster.min_nodes=2", "cluster.min_nodes=null, or cluster=existing"),
        ({"wait_minutes": 0}, "0", "cluster.wait_minutes=10"),
        ({"wait_minutes": math.nan}, "nan", "cluster.wait_minutes=10"),
    ],
)
def test_a_cluster_grows_by_whole_nodes_in_a_finite_time(changed: dict[str, Any], found: str, fix: str) -> None:
    error = refused(replace(cluster(), **changed), worker())
    assert (str(error.found), error.fix) == (found, fix)
