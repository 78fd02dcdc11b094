"""Whether a process was lost with its node: reclaimed, switched off, or out of reach. No trial is to blame then."""

from __future__ import annotations

import re

NODE_LOST = "node lost"
_DEAD_NODE = (  # as Ray 2.60 puts it: for an actor, for a result that was kept there, and for a task
    re.compile(r"its node has died\. Node Id: (?P<node>\w+)(?:\s+the actor's node was (?P<how>[^\n]+))?"),
    re.compile(r"(?:lost|unavailable) due to node failure"),
    re.compile(r"the node it was running on is dead or unavailable"),
)


def lost_node(words: str) -> str:
    """What became of the node, at the end in one short line; empty where the process died on a node that lives.

    Args:
        words: Ray's own, of the error that a call of the process got.
    """
    for pattern in _DEAD_NODE:
        found = pattern.search(words)
        if found is not None:
            named = found.groupdict()
            more = f" {named['node'][:8]}, {named['how'] or 'with no word of why'}" if named else ""
            return f"the trial's process was lost with its node{more}\n{NODE_LOST}"
    return ""
