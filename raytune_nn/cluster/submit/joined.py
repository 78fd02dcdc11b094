"""``python -m raytune_nn.cluster.submit.joined <address> <nodes>`` ends once so many nodes are in a Ray cluster.

How long that may take is up to whoever started it: a batch script, which also sees when a node does not start.
"""

from __future__ import annotations

import sys
import time

from raytune_nn.cluster.nodes import Node, find_cluster
from raytune_nn.errors import RaytuneError, UnusableError

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 30.0  # with a head that has just opened its port, and does not answer yet


def wait_for_nodes(address: str, count: int) -> None:
    """Says how many there are whenever that changes.

    Raises:
        RaytuneError: The cluster cannot be asked.
    """
    there = -1
    while there < count:
        nodes = _ask(address)
        if len(nodes) != there:
            there = len(nodes)
            print(f"{there} of {count} Ray nodes: {', '.join(sorted(node.name for node in nodes))}", flush=True)
        if there < count:
            time.sleep(LOOK_SECONDS)


def _ask(address: str) -> tuple[Node, ...]:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return find_cluster(address).nodes
        except UnusableError:
            if time.monotonic() > end:
                raise
            time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    try:
        wait_for_nodes(sys.argv[1], int(sys.argv[2]))
    except RaytuneError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
