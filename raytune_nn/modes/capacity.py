"""Where a command is to run, and how many trials fit there."""

from __future__ import annotations

from raytune_nn.cluster.nodes import find_cluster
from raytune_nn.cluster.resources import Capacity, plan_capacity
from raytune_nn.cluster.shares import holding, plan_share
from raytune_nn.cluster.submit.submitters import submitter_of
from raytune_nn.config.schema import Config, Mode
from raytune_nn.errors import ConfigError


def find_capacity(settings: Config) -> tuple[str | None, Capacity]:
    """The address of a cluster that runs already, None for others, and what the study may use.

    A cluster that runs already is asked what it has; that of a job is counted as it is to be.

    Raises:
        ConfigError: An amount is none, a trial does not fit, or the cluster does not go with the command.
        UnusableError: The cluster of ``cluster.address`` cannot be used.
    """
    cluster, resources = settings.cluster, settings.resources
    submitter = submitter_of(cluster)
    if submitter is not None:
        _check_submitted(settings)
        submitter.check(cluster, resources)
        planned = submitter.planned_nodes(cluster)
        _check_planned(len(holding(planned, resources)), cluster.min_nodes)
        return None, plan_share(planned, cluster, resources)
    if cluster.address is None or settings.search is None:
        return None, plan_capacity(cluster, resources)
    found = find_cluster(cluster.address)
    grows = cluster.max_slots is not None or len(holding(found.nodes, resources)) < (cluster.min_nodes or 0)
    return found.address, plan_share(found.nodes, cluster, resources, grows)


def _check_planned(holding: int, wanted: int | None) -> None:
    """Nodes that a job does not ask for never come."""
    if holding and wanted is not None and wanted > holding:
        rule = "cluster.min_nodes must not be more than the job's nodes with room for a worker of a trial"
        found = f"cluster.min_nodes={wanted}, of {holding} such nodes"
        raise ConfigError(rule, found, f"cluster.min_nodes={holding}")


def _check_submitted(settings: Config) -> None:
    """A cluster that takes jobs runs nothing here."""
    chosen = f"cluster.submitter={getattr(settings.cluster, 'submitter', None)}"
    if settings.mode not in (Mode.submit, Mode.plan):
        raise ConfigError("this cluster takes jobs, which mode=submit hands in", chosen, "mode=submit")
    if settings.search is None:
        raise ConfigError("a job runs a study", f"{chosen}, and no search", "+search=asha")
    if settings.cluster.address is not None:
        rule = "a job brings a cluster of its own, which has no address yet"
        raise ConfigError(rule, settings.cluster.address, "cluster.address=null, or cluster=existing")
