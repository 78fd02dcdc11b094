"""Which submitter an option of ``cluster`` chooses."""

from __future__ import annotations

from collections.abc import Mapping

from raytune_nn.cluster.submit import slurm
from raytune_nn.cluster.submit.submission import Submitter
from raytune_nn.config.schema import ClusterConfig
from raytune_nn.config.submitters import SubmitterConfig

_SUBMITTERS: Mapping[str, Submitter] = {"slurm": slurm}


def submitter_of(cluster: ClusterConfig) -> Submitter | None:
    """The submitter; None where ``cluster`` is one to run on."""
    return _SUBMITTERS[cluster.submitter] if isinstance(cluster, SubmitterConfig) else None
