"""A Ray cluster that runs already: a study joins it as one more job, and leaves nothing there.

Ray ends the actors and placement groups of a job with its driver, however that ends; none of ours is detached. Slots
are processes that the nodes start, without the private Ray's fork server.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from raytune_nn.cluster.connect import ENVIRONMENT, import_tune, on_loopback, silence
from raytune_nn.cluster.gather import Say, gather
from raytune_nn.cluster.head_watch import head_watch
from raytune_nn.cluster.modules import pack_modules
from raytune_nn.cluster.newcomers import Newcomers
from raytune_nn.cluster.nodes import answering
from raytune_nn.cluster.private_folder import private_folder
from raytune_nn.cluster.undisturbed import end_ray, undisturbed
from raytune_nn.cluster.visit import FOLDER_VARIABLE, arrive, check_nodes
from raytune_nn.config.schema import ClusterConfig, ResourcesConfig
from raytune_nn.store.folder import StudyFolder


@contextlib.contextmanager
def existing_cluster(
    address: str, cluster: ClusterConfig, resources: ResourcesConfig, verbose: int, study: StudyFolder, say: Say
) -> Iterator[tuple[str, Newcomers]]:
    """Joins a cluster, waits for its nodes, yields a folder of this driver's own for Ray Tune's files, and leaves it.

    Args:
        address: Of a cluster that `raytune_nn.cluster.nodes.find_cluster` has found.
        cluster: What is to be there, and how much of it the study may use.
        resources: Of a worker of a trial.
        verbose: From 2 on, Ray's own output is shown.
        study: Its folder, or the place that stands for it, which all nodes have to see.
        say: Told what is waited for.

    Yields:
        The folder, and who looks after nodes that join later.

    Raises:
        ConfigError: A node does not see the study's storage, a trial cannot be placed, or the modules are too large.
        UnusableError: The cluster does not answer, a node of it cannot run this package, or some are missing.
    """
    import ray

    quiet = verbose < 2
    with private_folder() as scratch:
        try:
            _join(address, quiet, Path(scratch, "modules"))
            import_tune()
            if quiet:
                silence(ray)
            node = ray.get_runtime_context().get_node_id()
            with head_watch(address, node):
                slots = gather(address, cluster, resources, say)
                os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(cluster.max_slots or slots)
                with Newcomers(study, check_nodes(study)) as newcomers:
                    yield scratch, newcomers
                end_ray()
        finally:
            end_ray()


def _join(address: str, quiet: bool, modules: Path) -> None:
    import ray

    packed = pack_modules(modules, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    with answering(address), on_loopback(), undisturbed():
        ray.init(
            address=address,
            configure_logging=not quiet,
            log_to_driver=not quiet,
            logging_level=logging.ERROR if quiet else logging.INFO,
            runtime_env={
                "env_vars": _for_workers(),
                "worker_process_setup_hook": f"{arrive.__module__}.{arrive.__name__}",
                **({"working_dir": str(modules)} if packed else {}),
            },
        )


def _for_workers() -> dict[str, str]:
    """What the nodes' own environment lacks: how Ray Tune is to behave, and where modules are."""
    settings = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("RAY_AUTH")}
    ours = {name: os.environ[name] for name in ("RAYTUNE_NN_CACHE",) if name in os.environ}
    path = [*filter(None, [os.environ.get("PYTHONPATH")]), "${PYTHONPATH}"]  # which is the node's
    return {**settings, **ours, "PYTHONPATH": os.pathsep.join(path), FOLDER_VARIABLE: os.getcwd()}
