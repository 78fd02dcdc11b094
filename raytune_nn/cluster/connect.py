"""A private Ray on this machine, started for one study and gone with it."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from unittest import mock

from raytune_nn.cluster.fork_server import fork_server
from raytune_nn.cluster.private_folder import RAYS, private_folder
from raytune_nn.cluster.resources import Capacity
from raytune_nn.cluster.undisturbed import end_ray, import_ray, undisturbed
from raytune_nn.errors import UnusableError

ENVIRONMENT = {  # read when ray is imported: nothing may import it before
    "RAY_AUTH_MODE": "token",  # any client of a Ray cluster can run code
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_prestart_worker_first_driver": "0",  # no trial uses these workers, and ray.init waits for them
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean the same in a slot as here
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_timeout_ms_task_wait_for_death_info": "60000",  # so long a lost process is not known to be one of a lost node
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # they cost the driver four times what all the rest does
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours also knows SIGTERM and the exit code
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "10",  # a study that ends waits so long for the running epochs; seconds
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # the journal is the truth, not Tune's own state
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def local_cluster(capacity: Capacity, verbose: int, preload: Sequence[str] = ()) -> Iterator[str]:
    """Starts Ray, yields the folder for its files, and removes both afterwards.

    Args:
        capacity: What Ray may use.
        verbose: From 2 on, Ray's own output is shown.
        preload: Modules that the slots need, imported once for all of them.

    Raises:
        UnusableError: Ray does not start.
    """
    quiet = verbose < 2
    os.environ.update(ENVIRONMENT, TUNE_MAX_PENDING_TRIALS_PG=str(capacity.slots))
    forks = bool(preload) and sys.platform == "linux"
    with (
        private_folder() as folder,
        fork_server(folder, preload, quiet) if forks else contextlib.nullcontext(),
        _ray(capacity, folder, quiet, forks),
    ):
        yield folder


@contextlib.contextmanager
def _ray(capacity: Capacity, folder: str, quiet: bool, forks: bool) -> Iterator[None]:
    import_ray()
    import ray

    importing = threading.Thread(target=import_tune)  # takes a second that ray.init spends waiting
    try:
        os.environ["RAY_AUTH_TOKEN_PATH"] = _write_token(folder)
        with undisturbed():
            importing.start()
            _start(capacity, folder, quiet, forks)
        importing.join()
        if quiet:
            silence(ray)
        yield
    finally:
        if importing.is_alive():
            importing.join()
        end_ray()


def _start(capacity: Capacity, folder: str, quiet: bool, forks: bool) -> None:
    import ray

    starting_workers = _forking_workers() if forks else contextlib.nullcontext()
    try:
        with _without_what_a_study_does_not_use(quiet), on_loopback(), starting_workers:
            ray.init(
                address="local",
                num_cpus=max(1, int(capacity.cpus)),
                num_gpus=int(capacity.gpus),
                include_dashboard=False,
                _node_ip_address=LOOPBACK,
                configure_logging=not quiet,
                log_to_driver=not quiet,
                logging_level=logging.ERROR if quiet else logging.INFO,
                _temp_dir=os.path.join(folder, RAYS),
            )
    except Exception as error:
        raise UnusableError(
            "a local Ray must start",
            f"{type(error).__name__}: {error}",
            "cluster.cpus=1, or see verbose=2",
        ) from error


@contextlib.contextmanager
def _without_what_a_study_does_not_use(quiet: bool) -> Iterator[None]:
    """Ray starts a web server, an autoscaler and a forwarder of logs, each a Python process, and waits for the first.

    A private Ray for one study on one machine answers no requests from outside, does not grow and, unless its logs
    were asked for, forwards none. Without them it is there two seconds sooner on two cores. Ray has no option for it;
    where the dashboard's libraries are missing, it leaves out what of its agent would serve the dashboard.
    """
    from ray._private import utils
    from ray._private.node import Node

    unused = ["start_api_server", "start_monitor", *(["start_log_monitor"] if quiet else [])]
    with contextlib.ExitStack() as patches:
        missing = ImportError("no dashboard")
        patches.enter_context(mock.patch.object(utils, "get_dashboard_dependency_error", return_value=missing))
        for method in unused:
            patches.enter_context(mock.patch.object(Node, method))
        yield


@contextlib.contextmanager
def on_loopback() -> Iterator[None]:
    """Ray's processes listen where the address of their node is, but ``ray.init`` takes another one than loopback's.

    It puts the machine's address there, at which the network reaches all their ports.
    """
    from ray._private import services

    with mock.patch.object(services, "resolve_ip_for_localhost", lambda host: host):
        yield


@contextlib.contextmanager
def _forking_workers() -> Iterator[None]:
    """Ray's workers are forks of the fork server; it has no option for the program that starts them either."""
    from ray._private import ray_constants

    client = os.path.join(os.path.dirname(__file__), "fork_client.py")
    with mock.patch.object(ray_constants, "SETUP_WORKER_FILENAME", client):
        yield


def silence(ray: Any) -> None:
    """Keeps Ray's own messages from the terminal, once it is connected."""
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # importing ray and tune set it to their own taste
    ray._private.worker.print_to_stdstream = lambda *args, **keywords: None  # of lost workers; the study tells of them


def _write_token(folder: str) -> str:
    """A secret of this process's own, which nobody else can read; Ray's own file is open to all users."""
    path = os.path.join(folder, "token")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(_token())
    return path


@cache
def _token() -> str:
    """Ray reads it once in a process, which may run several studies, one after the other."""
    return secrets.token_hex(32)


def import_tune() -> None:
    """Ray Tune, which reads the environment when it is imported."""
    import ray.tune  # noqa: F401
