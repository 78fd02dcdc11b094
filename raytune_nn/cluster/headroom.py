"""Whether a GPU that several trials share has the memory that they are promised, before the first of them starts."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace

from raytune_nn.cluster.resources import Capacity, trials_on_one_gpu
from raytune_nn.config.schema import ResourcesConfig
from raytune_nn.errors import ConfigError

ENOUGH = 0.95  # of what is promised: a desktop's few hundred MB on a large GPU are no reason to refuse
_QUERY = ("nvidia-smi", "--query-gpu=index,memory.free,memory.used", "--format=csv,noheader,nounits")
_SECONDS = 20.0  # a GPU whose driver does not keep its state takes some to answer


@dataclass(frozen=True)
class GpuMemory:
    """Of one GPU, in MiB; what its driver keeps for itself is no part of it."""

    index: str
    free: float
    used: float

    @property
    def total(self) -> float:
        """What CUDA programs can have."""
        return self.free + self.used


def check_headroom(capacity: Capacity, resources: ResourcesConfig) -> None:
    """Compares what is free now with what the trials of one GPU may use together.

    The slots do not look by themselves: what they see free depends on how far the others are.

    Raises:
        ConfigError: Something else occupies a GPU that several trials are to share.
    """
    trials = trials_on_one_gpu(capacity, resources)
    if trials == 1:
        return
    for gpu in _memory(int(capacity.gpus)):
        if gpu.free < ENOUGH * trials * resources.gpus * gpu.total:
            raise ConfigError(
                "the free memory of a GPU must hold the trials that share it",
                f"{gpu.free / 1024:.1f} of {gpu.total / 1024:.1f} GiB are free on GPU {gpu.index}, and resources.gpus="
                f"{resources.gpus:g} promises {resources.gpus * gpu.total / 1024:.1f} GiB to each of {trials} trials",
                f"resources.gpus={_fitting(gpu, capacity, resources):g}, or end what else is on it (nvidia-smi)",
            )


def _fitting(gpu: GpuMemory, capacity: Capacity, resources: ResourcesConfig) -> float:
    """The least share, of those not below what was asked for, whose trials have room; a whole GPU is not checked."""
    for hundredths in range(int(100 * resources.gpus) + 1, 100):
        share = hundredths / 100
        if trials_on_one_gpu(capacity, replace(resources, gpus=share)) * share * gpu.total <= gpu.free:
            return share
    return 1.0


def _memory(count: int) -> list[GpuMemory]:
    """Of the GPUs that Ray hands out, the first that are visible; empty where nobody can tell."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = [] if visible is None else ["-i", ",".join(visible.split(",")[:count])]
    try:
        answer = subprocess.run([*_QUERY, *chosen], capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # no NVIDIA GPU, or no tool for it in this container
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines()]
    gpus = [row for row in rows if len(row) == 3 and row[0].isdigit()][:count]  # warnings may stand among them
    known = [row for row in gpus if all(map(str.isdigit, row))]
    return [GpuMemory(index, float(free), float(used)) for index, free, used in known]
