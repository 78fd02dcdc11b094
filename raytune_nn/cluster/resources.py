"""How many trials fit on the cluster at once."""

from __future__ import annotations

import glob
import math
import os
from dataclasses import dataclass
from pathlib import Path

from raytune_nn.config.schema import ClusterConfig, ResourcesConfig
from raytune_nn.errors import ConfigError


@dataclass(frozen=True)
class Capacity:
    """What the study may use, and how many trials of it fit."""

    cpus: float
    gpus: float
    slots: int  # trials that fit at once; 0: none yet, of a cluster that is to grow
    most: int | None = None  # at once, though more may fit, now or when the cluster has grown; None: all that fit

    @property
    def at_once(self) -> int:
        """Trials that may come to run at once."""
        return max(self.slots, self.most or 0)


def plan_capacity(cluster: ClusterConfig, resources: ResourcesConfig) -> Capacity:
    """Counts the slots of a private Ray on this machine.

    Raises:
        ConfigError: A resource is negative or zero, or a single trial does not fit.
    """
    check_amounts(cluster, resources)
    cpus = float(usable_cpus() if cluster.cpus is None else cluster.cpus)
    gpus = float(found_gpus() if cluster.gpus is None else cluster.gpus)
    workers = resources.workers
    _check_fits("cpus", resources.cpus, cpus, workers)
    _check_fits("gpus", resources.gpus, gpus, workers)
    slots = times(cpus, resources.cpus * workers)
    if resources.gpus:
        whole = resources.gpus >= 1  # no part of a trial is on a second GPU
        slots = min(slots, times(gpus, resources.gpus * workers) if whole else int(gpus) * times(1, resources.gpus))
    if resources.memory is not None:
        memory = total_memory()
        if not 0 < resources.memory * workers <= memory:
            raise ConfigError(
                "resources.memory (GiB) must be positive and fit the machine",
                f"{_product(resources.memory, workers)} of {memory:.1f} GiB",
                f"resources.memory={memory / slots / workers:.1f}",
            )
        slots = min(slots, times(memory, resources.memory * workers))
    if cluster.min_nodes is not None and cluster.min_nodes > 1:
        rule = "a private Ray has one node"
        raise ConfigError(rule, f"cluster.min_nodes={cluster.min_nodes}", "cluster.min_nodes=null, or cluster=existing")
    most = None if cluster.max_slots is None else min(cluster.max_slots, slots)
    return Capacity(cpus, gpus, slots if most is None else most, most)


def worker_bundle(resources: ResourcesConfig, gpus: float) -> dict[str, float]:
    """What Ray keeps free for one worker of a trial.

    Args:
        gpus: Of it; a trial may have a GPU alone that others share.
    """
    bundle = {"CPU": resources.cpus, "GPU": gpus}
    if resources.memory is not None:
        bundle["memory"] = resources.memory * 2**30
    return {name: amount for name, amount in bundle.items() if amount}


def trials_on_one_gpu(capacity: Capacity, resources: ResourcesConfig) -> int:
    """How many trials share a GPU at most."""
    return min(capacity.slots, times(1, resources.gpus)) if 0 < resources.gpus < 1 else 1


def check_amounts(cluster: ClusterConfig, resources: ResourcesConfig) -> None:
    """Checks each amount by itself.

    Raises:
        ConfigError: The first that is no amount: NaN and infinity, which YAML can spell, are none either.
    """
    if not 0 < resources.cpus < math.inf:
        raise ConfigError("resources.cpus must be greater than 0", resources.cpus, "resources.cpus=1")
    if not 0 <= resources.gpus < math.inf:
        raise ConfigError("resources.gpus must not be negative", resources.gpus, "resources.gpus=0")
    if resources.gpus > 1 and resources.gpus != int(resources.gpus):
        raise ConfigError(
            "resources.gpus must be a fraction of one GPU or a whole number",
            resources.gpus,
            f"resources.gpus={math.ceil(resources.gpus)}",
        )
    _check_workers(resources)
    if not 0 <= cluster.report_every < math.inf:
        rule = "cluster.report_every (seconds) must not be negative"
        raise ConfigError(rule, cluster.report_every, "cluster.report_every=0.25")
    if not 0 <= cluster.grace_seconds < math.inf:
        rule = "cluster.grace_seconds must not be negative; 0 leaves at once"
        raise ConfigError(rule, cluster.grace_seconds, "cluster.grace_seconds=20")
    _check_growth(cluster)
    for name, least in (("cpus", 1), ("gpus", 0)):  # Ray counts whole ones: half a core too much never comes free
        there = getattr(cluster, name)
        if there is not None and not (least <= there < math.inf and there == int(there)):
            raise ConfigError(
                f"cluster.{name} must be a whole number of at least {least}", there, f"cluster.{name}=null"
            )


def _check_growth(cluster: ClusterConfig) -> None:
    for name in ("min_nodes", "max_slots"):
        number = getattr(cluster, name)
        if number is not None and number < 1:
            raise ConfigError(f"cluster.{name} must be at least 1", number, f"cluster.{name}=null")
    if not 0 < cluster.wait_minutes < math.inf:
        rule = "cluster.wait_minutes must be greater than 0"
        raise ConfigError(rule, cluster.wait_minutes, "cluster.wait_minutes=10")


def _check_workers(resources: ResourcesConfig) -> None:
    if resources.workers < 1:
        raise ConfigError("resources.workers must be at least 1", resources.workers, "resources.workers=1")
    if resources.workers > 1 and resources.gpus not in (0, 1):
        raise ConfigError(
            "each worker of a trial of several has a whole GPU, or none",
            f"resources.gpus={resources.gpus:g}, resources.workers={resources.workers}",
            "resources.gpus=1",
        )


def usable_cpus() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def found_gpus() -> int:
    """NVIDIA GPUs that this process may see, without importing torch or Ray."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len(glob.glob("/proc/driver/nvidia/gpus/*"))


def total_memory() -> float:
    """Memory of this machine, or of the container it is, in GiB."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = Path(path).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():  # "max": none
            physical = min(physical, int(limit))
    return physical / 2**30


def _check_fits(name: str, wanted: float, there: float, workers: int) -> None:
    """All workers of a trial at once."""
    if wanted * workers <= there:
        return
    fewer = times(there, wanted)
    amount = f"resources.{name}"
    raise ConfigError(
        f"one trial must fit the cluster: {amount}{' x resources.workers' if workers > 1 else ''} <= cluster.{name}",
        f"{amount}={_product(wanted, workers)}, cluster.{name}={there:g}",
        f"resources.workers={fewer}" if fewer else f"{amount}={there:g}" if there else f"{amount}=0",
    )


def _product(amount: float, workers: int) -> str:
    return f"{amount:g}" if workers == 1 else f"{amount:g} x {workers} workers"


def times(whole: float, part: float) -> int:
    """How often a part fits; fractions such as 0.1 are not exact in binary."""
    return int(whole / part + 1e-9)
