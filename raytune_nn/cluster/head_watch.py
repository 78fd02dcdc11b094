"""Ends a driver whose cluster is gone, before Ray does.

Without its head, Ray's calls block for a minute and then end the process with exit code 1 and no word to the user. What
the study has is in its journal by then; a thread says so and leaves with the code of an unusable cluster.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from raytune_nn.cluster.access import split_address
from raytune_nn.errors import UnusableError

LOST_SECONDS = 20.0  # without an answer; Ray's own patience is a minute
LOOK_SECONDS = 2.0


@contextlib.contextmanager
def head_watch(address: str, node: str) -> Iterator[None]:
    """While inside, a cluster that is lost ends this process.

    Args:
        address: Of the cluster's head, ``<host>:<port>``.
        node: The one that this driver is connected by, as hex; without it, its trials are not its own any more.
    """
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(address, node, ended), daemon=True, name="head-watch")
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


def _watch(address: str, node: str, ended: threading.Event) -> None:
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    client, heard = GcsClient(address=address), time.monotonic()
    while not ended.wait(LOOK_SECONDS):
        why = _lost(address, node, client)
        if not why:
            heard = time.monotonic()
        elif time.monotonic() - heard > LOST_SECONDS:
            _leave(f"{address}: {why}")


def _lost(address: str, node: str, client: Any) -> str:
    """What is wrong with the cluster; empty where nothing is."""
    try:
        socket.create_connection(split_address(address), LOOK_SECONDS).close()
        nodes = client.get_all_node_info(timeout=LOOK_SECONDS)
    except Exception as error:
        return str(getattr(error, "strerror", None) or error).partition("\n")[0]
    alive = any(info.node_id.hex() == node and info.state == info.ALIVE for info in nodes.values())
    return "" if alive else "the node of this command is lost"


def _leave(found: str) -> None:
    error = UnusableError(
        "the Ray cluster of a study must stay there; what the study had is kept",
        found,
        "the same command, once there is a cluster again",
    )
    show_cursor = "\033[?25h" if sys.stderr.isatty() else ""  # which the view of the study hides
    print(f"{show_cursor}\nraytune_nn: {error}", file=sys.stderr, flush=True)
    os._exit(error.exit_code)  # the main thread may wait for Ray, which ends the process before it answers
