"""Where a command is to run, and how many trials fit there."""

from __future__ import annotations

from raytune_nn.cluster.nodes import find_cluster
from raytune_nn.cluster.resources import Capacity, plan_capacity
from raytune_nn.cluster.shares import plan_share
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
        return None, plan_share(submitter.planned_nodes(cluster), cluster, resources)
    if cluster.address is None or settings.search is None:
        return None, plan_capacity(cluster, resources)
    found = find_cluster(cluster.address)
    return found.address, plan_share(found.nodes, cluster, resources)


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
