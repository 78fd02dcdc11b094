"""On which nodes the workers of a trial are."""

from __future__ import annotations

from pathlib import Path

import pytest
from lost_nodes import cluster_and_place, command, epochs, node_of, of, pids
from processes import TIMEOUT, rows, wait_until


@pytest.mark.slow
@pytest.mark.parametrize(("placement", "count"), [("pack", 1), ("spread", 2)])
def test_workers_share_a_node_unless_they_are_to_spread(tmp_path: Path, placement: str, count: int) -> None:
    """Either node has room for both; they meet, shard the weights and train on to the end."""
    with cluster_and_place(tmp_path, 0, 2, 2) as (nodes, place):
        more = ("resources.workers=2", f"resources.placement={placement}", "trainer.strategy=fsdp")
        with place.start(*command(nodes, "first", {0.1: "long"}, *more, "budget.max_epochs=3")) as process:
            wait_until(lambda: bool(epochs(place, "first", "0")) or process.poll() is not None, TIMEOUT)
            assert process.poll() is None, process.communicate()
            assert len({node_of(nodes, pid).id for pid in pids(place, 0.1)}) == count
            _, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, err
        assert [row["state"] for row in rows(place.study("first"))] == ["complete"]
        assert of(place, "first", "retried") == []
        assert (place.leftovers(), place.processes()) == ([], [])
