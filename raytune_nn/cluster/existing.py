"""A Ray cluster that runs already: a study joins it as one more job, and leaves nothing there.

Ray ends the actors and placement groups of a job with its driver, however that ends; none of ours is detached. Slots
are processes that the nodes start, without the private Ray's fork server.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

from raytune_nn.cluster.connect import ENVIRONMENT, import_tune, on_loopback, silence
from raytune_nn.cluster.head_watch import head_watch
from raytune_nn.cluster.nodes import answering
from raytune_nn.cluster.private_folder import private_folder
from raytune_nn.cluster.resources import Capacity
from raytune_nn.cluster.undisturbed import undisturbed
from raytune_nn.cluster.visit import FOLDER_VARIABLE, arrive, check_nodes
from raytune_nn.store.folder import StudyFolder


@contextlib.contextmanager
def existing_cluster(address: str, capacity: Capacity, verbose: int, study: StudyFolder) -> Iterator[str]:
    """Joins a cluster, yields a folder of this driver's own for Ray Tune's files, and leaves it.

    Args:
        address: Of a cluster that `raytune_nn.cluster.nodes.find_cluster` has found.
        capacity: What the study may use of it.
        verbose: From 2 on, Ray's own output is shown.
        study: Its folder, or the place that stands for it, which all nodes have to see.

    Raises:
        ConfigError: A node does not see the study's storage.
        UnusableError: The cluster does not answer, or a node of it cannot run this package.
    """
    import ray

    quiet = verbose < 2
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(capacity.slots)
    with private_folder() as scratch:
        try:
            _join(address, quiet)
            import_tune()
            if quiet:
                silence(ray)
            node = ray.get_runtime_context().get_node_id()
            with head_watch(address, node):
                check_nodes(study.path, study.storage_url)
                yield scratch
                ray.shutdown()
        finally:
            ray.shutdown()


def _join(address: str, quiet: bool) -> None:
    import ray

    with answering(address), on_loopback(), undisturbed():
        ray.init(
            address=address,
            configure_logging=not quiet,
            log_to_driver=not quiet,
            logging_level=logging.ERROR if quiet else logging.INFO,
            runtime_env={
                "env_vars": _for_workers(),
                "worker_process_setup_hook": f"{arrive.__module__}.{arrive.__name__}",
            },
        )


def _for_workers() -> dict[str, str]:
    """What the nodes' own environment lacks: how Ray Tune is to behave, and where modules are."""
    settings = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("RAY_AUTH")}
    ours = {name: os.environ[name] for name in ("RAYTUNE_NN_CACHE",) if name in os.environ}
    path = [*filter(None, [os.environ.get("PYTHONPATH")]), "${PYTHONPATH}"]  # which is the node's
    return {**settings, **ours, "PYTHONPATH": os.pathsep.join(path), FOLDER_VARIABLE: os.getcwd()}
