"""What each node of a cluster that runs already must have before a study starts: this package, and the study's storage.

Workers there begin in the folder of the raylet that started them; ``arrive`` takes them to that of the command, so that
relative paths and modules beside the command mean the same in a slot as in the driver.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from raytune_nn import __version__
from raytune_nn.errors import ConfigError, UnusableError
from raytune_nn.store.bucket import is_url, read_url
from raytune_nn.store.folder import StudyFolder, usable
from raytune_nn.store.object_store import ObjectStore

FOLDER_VARIABLE = "RAYTUNE_NN_FOLDER"  # working directory of the command
VISIT_SECONDS = 120.0  # for a worker to start on every node and to look
LOST_SECONDS = 30.0  # in which a node that does not answer is known to be lost, with Ray's own settings


def arrive() -> None:
    """Called by Ray in each of its workers for us, before anything else."""
    with contextlib.suppress(OSError):  # not every node has that folder; then relative paths mean nothing there
        os.chdir(os.environ[FOLDER_VARIABLE])


def check_nodes(study: StudyFolder, known: Container[str] = (), ended: threading.Event | None = None) -> set[str]:
    """Has every node of the connected cluster look and write where a study is, or is to be.

    Args:
        study: Its folder, or the place in an object store, where each node reads and writes with what it has;
            nothing is left there.
        known: Ids of nodes that need not look again.
        ended: Once it is set, no answer is waited for any more.

    Returns:
        The ids of the nodes that looked.

    Raises:
        ConfigError: A node does not see what another one writes there.
        UnusableError: A node cannot run this package, or does not answer; or nothing can be written there.
    """
    nodes = {_name(node): node["NodeID"] for node in _alive() if node["NodeID"] not in known}
    if not nodes:
        return set()
    url, path = study.storage_url, study.path
    there = next(folder for folder in (path, *path.parents) if folder.is_dir())
    with _marked_bucket(url) if url else _marked(there) as (folder, mark):
        sent = {name: _send(id, folder, mark) for name, id in nodes.items()}  # all at once
        if ended is not None and not _all_came([future for _, future in sent.values()], ended):
            return set()
        for name, future in sent.items():
            answer = _answer(name, future)
            if answer is not None:
                _check_answer(name, answer, folder, mark)
    return set(nodes.values())


def look(folder: str, name: str, mark: str) -> tuple[str, str]:
    """On a node: writes a file into a folder if it is the driver's.

    Returns:
        The version of this package there, and why the folder is not the driver's; empty where it is.
    """
    try:
        if _read(folder, "driver") != mark:
            return __version__, "it is another folder there"
        _write(folder, name, mark)
    except OSError as error:
        return __version__, f"{error.strerror}"
    return __version__, ""


@contextlib.contextmanager
def _marked(there: Path) -> Iterator[tuple[str, str]]:
    """A new folder with a secret in it."""
    with usable(there):
        folder, mark = tempfile.mkdtemp(prefix=".rtnn-", dir=there), secrets.token_hex(16)
    try:
        with usable(there):
            os.chmod(folder, 0o777)  # workers of another user write into it; it is gone in a moment
            Path(folder, "driver").write_text(mark)
        yield folder, mark
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _marked_bucket(url: str) -> Iterator[tuple[str, str]]:
    """The same on an object store; a folder is a URL there."""
    bucket, mark = read_url(url).under(f".rtnn-{secrets.token_hex(8)}"), secrets.token_hex(16)
    store = ObjectStore(bucket)
    try:
        with usable(store.place()):
            store.write("driver", mark.encode())
        yield bucket.url, mark
    finally:
        with contextlib.suppress(OSError):
            store.remove_all()


def _read(folder: str, name: str) -> str:
    return ObjectStore(read_url(folder)).read(name).decode() if is_url(folder) else Path(folder, name).read_text()


def _write(folder: str, name: str, text: str) -> None:
    if is_url(folder):
        ObjectStore(read_url(folder)).write(name, text.encode())
    else:
        Path(folder, name).write_text(text)


def _send(node: str, folder: str, mark: str) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    return node, task.remote(folder, node, mark)


def _all_came(futures: list[Any], ended: threading.Event) -> bool:
    """Waits in a thread, which must not be inside Ray when that is shut down."""
    import ray

    end = time.monotonic() + VISIT_SECONDS
    while len(ray.wait(futures, num_returns=len(futures), timeout=0.2)[0]) < len(futures):
        if ended.is_set():
            return False
        if time.monotonic() > end:
            break  # whoever asks for the answers is told so
    return True


def _answer(name: str, sent: tuple[str, Any]) -> tuple[str, str, str] | None:
    """What a node says; None where it is lost meanwhile, as a study's nodes may be."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    node, future = sent
    try:
        return (node, *ray.get(future, timeout=VISIT_SECONDS))
    except RayError as error:
        if not isinstance(error, RayTaskError) and _is_lost(node):
            return None
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UnusableError(
            "every node of the cluster must be able to run this package",
            f"node {name}: {type(error).__name__}: {lines[-1] if lines else 'no answer'}",
            f"pip install raytune_nn=={__version__} there, or start the command in a folder that all nodes share",
        ) from error


def _is_lost(node: str) -> bool:
    """Whether the cluster finds so; its head needs some seconds to be sure."""
    end = time.monotonic() + LOST_SECONDS
    while time.monotonic() < end:
        if not any(each["NodeID"] == node for each in _alive()):
            return True
        time.sleep(0.5)
    return False


def _alive() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _check_answer(name: str, answer: tuple[str, str, str], folder: str, mark: str) -> None:
    node, version, why = answer
    if version != __version__:
        rule = "every node of the cluster must have this version of the package"
        raise UnusableError(rule, f"{version} on node {name}, {__version__} here", f"pip install raytune_nn=={version}")
    if not why:
        try:
            why = "" if _read(folder, node) == mark else "what is written there is not seen here"
        except OSError:
            why = "what is written there is not seen here"
    if why and is_url(folder):
        raise ConfigError(
            "every node of the cluster must reach study.storage, with credentials of its own",
            f"{read_url(folder).above.place} on node {name}: {why}",
            "AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… where the node's Ray is started, or cluster.address=null",
        )
    if why:
        place = os.path.dirname(folder)
        raise ConfigError(
            "study.storage must be a folder that all nodes of the cluster share",
            f"{place} on node {name}: {why}",
            "study.storage=<a folder on a share>, or cluster.address=null",
        )


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})"
