"""A batch job of SLURM."""

from __future__ import annotations

import math
from collections.abc import Sequence

from raytune_nn.cluster.nodes import Node
from raytune_nn.cluster.submit.submission import Submission
from raytune_nn.config.submitters import SlurmConfig
from raytune_nn.errors import ConfigError

SHARES_FILES = True


def check(cluster: SlurmConfig) -> None:
    """Checks the keys that only SLURM has.

    Raises:
        ConfigError: The first rule that is broken.
    """
    if cluster.nodes < 1:
        raise ConfigError("cluster.nodes must be at least 1", cluster.nodes, "cluster.nodes=1")


def planned_nodes(cluster: SlurmConfig) -> Sequence[Node]:
    """One Ray node on each node of the job."""
    memory = math.inf if cluster.memory_per_node is None else cluster.memory_per_node
    return [Node("of the job", cluster.cpus_per_node, cluster.gpus_per_node, memory)] * cluster.nodes


def render(submission: Submission) -> str:
    """The batch script."""
    return ""


def submit(submission: Submission, text: str) -> None:
    """Hands it to sbatch."""
