"""Which of Ray's words speak of a lost node."""

from __future__ import annotations

import pytest

from raytune_nn.trial.losses import lost_node

DIED = "The actor died unexpectedly before finishing this task.\n\tclass_name: TrialActor\n\tpid: 7\n\tip: 127.0.0.1\n"
NODE = f"{DIED}The actor died because its node has died. Node Id: 2f5e18eed51666fbc81522a19eb\n\tthe actor's node was "


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"{NODE}terminated unexpectedly: too many missing heartbeats", " 2f5e18ee, terminated unexpectedly: too many"),
        (f"{NODE}preempted: Node received SIGTERM\nmore", " 2f5e18ee, preempted: Node received SIGTERM"),
        (f"{DIED}The actor died because its node has died. Node Id: 2f5e18eed5", " 2f5e18ee, with no word of why"),
        ("ObjectLostError: All copies of 4f are lost due to node failure.", ""),
        ("Task failed because the node it was running on is dead or unavailable. Node IP: 1.2.3.4", ""),
    ],
)
def test_a_lost_node_is_told_by_its_number_and_what_became_of_it(words: str, told: str) -> None:
    first, last = lost_node(words).splitlines()
    assert first.startswith(f"the trial's process was lost with its node{told}")
    assert last == "node lost"
    assert "more" not in first


@pytest.mark.parametrize(
    "words",
    [
        "",
        f"{DIED}The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR",
        "OutOfMemoryError: 1 worker(s) were killed due to the node running low on memory.",
        f"{DIED}The actor is dead because it was killed by `ray.kill`.",
    ],
)
def test_a_process_that_died_on_a_living_node_was_not_lost_with_it(words: str) -> None:
    assert lost_node(words) == ""
