"""Lost nodes: their trials go on elsewhere, at no cost; without its head, the study waits for another cluster."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from lost_nodes import cluster_and_place, command, epochs, node_of, of, pids
from processes import TIMEOUT, rows, summary, wait_until

LONG = {0.1: "long", 0.2: "long", 0.3: "killed_once", 0.4: "long"}


@pytest.mark.slow
def test_trials_of_a_lost_node_go_on_elsewhere_and_lose_no_retry(tmp_path: Path) -> None:
    """And one whose process dies on a node that lives has failed, as `failures.max_retries` says."""
    with cluster_and_place(tmp_path, 0, 1, 1) as (nodes, place):
        typed = command(nodes, "first", LONG, "budget.max_epochs=4", "failures.max_retries=0")
        with place.start(*typed) as process:
            wait_until(
                lambda: all(epochs(place, "first", trial) for trial in "01") or process.poll() is not None, TIMEOUT
            )
            assert process.poll() is None, process.communicate()
            lost = node_of(nodes, pids(place, 0.1)[0])
            nodes.kill(lost)
            joined = nodes.add(1)
            out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, err
        study = place.study("first")
        assert [row["state"] for row in rows(study)] == ["complete", "complete", "failed", "complete"]
        (retried,) = of(place, "first", "retried")
        assert (retried["trial"], retried["reason"], retried["counts"]) == ("0", "node lost", False)
        assert lost.id[:8] in str(retried["error"])
        assert "tried again\n  1 time: node lost  (trial 0)" in out
        assert "the trial's process died" in out
        began = [event.get("epoch", 0) for event in of(place, "first", "started") if event["trial"] == "0"]
        assert began[0] == 0
        assert began[1] == max(began) >= 1, "from its last state"
        for trial in "013":
            assert sorted(set(epochs(place, "first", trial))) == [1, 2, 3, 4]
            assert len(epochs(place, "first", trial)) <= 5, "at most one epoch is repeated"
        assert pids(place, 0.1)[1] != pids(place, 0.1)[0]
        assert joined in nodes.nodes
        assert (place.leftovers(), place.processes()) == ([], [])
        assert list(study.parent.iterdir()) == [study], "what the nodes wrote to show that they share the storage"


@pytest.mark.slow
def test_workers_on_two_nodes_go_on_with_another_one(tmp_path: Path) -> None:
    """First the node of worker 1 is lost, then that of worker 0, whose process speaks for the trial."""
    with cluster_and_place(tmp_path, 0, 1, 1, 1) as (nodes, place):
        more = ("resources.workers=2", "budget.max_epochs=5", "failures.max_retries=0")
        with place.start(*command(nodes, "first", {0.1: "long"}, *more)) as process:
            for attempt, worker in ((1, 1), (2, 0)):
                reports = len(epochs(place, "first", "0"))
                wait_until(
                    lambda attempt=attempt, reports=reports: (
                        (  # type: ignore[misc]
                            len(pids(place, 0.1)) == 2 * attempt and len(epochs(place, "first", "0")) > reports
                        )
                        or process.poll() is not None
                    ),
                    TIMEOUT,
                )
                assert process.poll() is None, process.communicate()
                two = [node_of(nodes, pid) for pid in pids(place, 0.1)[-2:]]
                assert two[0] is not two[1]
                by_rank = sorted(two, key=lambda node: any(map(_follows, node.processes())))
                nodes.kill(by_rank[worker])
                nodes.add(1)
            _, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, err
        (row,) = rows(place.study("first"))
        assert (row["state"], row["epochs"]) == ("complete", "5")
        retried = of(place, "first", "retried")
        assert [(event["reason"], event["counts"]) for event in retried] == [("node lost", False)] * 2
        assert ["class_name: Worker" in event["error"] for event in retried] == [True, False], "who was lost"
        repeated = Counter(epochs(place, "first", "0"))
        assert sorted(repeated) == [1, 2, 3, 4, 5]
        assert sum(repeated.values()) <= 7, "at most one epoch a loss is repeated"
        assert (place.leftovers(), place.processes()) == ([], [])


def _follows(pid: int) -> bool:
    """Whether a process is a worker but the first."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::Worker")
    except OSError:
        return False


@pytest.mark.slow
def test_without_its_head_the_study_ends_and_goes_on_with_another_cluster(tmp_path: Path) -> None:
    trials = {0.1: "long", 0.2: "long"}
    more = ("budget.max_epochs=4",)
    with cluster_and_place(tmp_path, 1, 1) as (nodes, place):
        with place.start(*command(nodes, "first", trials, *more)) as process:
            wait_until(lambda: bool(epochs(place, "first", "0")) or process.poll() is not None, TIMEOUT)
            assert process.poll() is None, process.communicate()
            lost = time.monotonic()
            nodes.kill(nodes.nodes[0])
            out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 4, err
        assert time.monotonic() - lost < 45, "before Ray ends the process without a word"
        assert "the Ray cluster of a study must stay there; what the study had is kept" in err
        assert "Traceback" not in out + err
        place.until_empty()
        private = [word for word in command(nodes, "first", trials, *more) if "cluster" not in word]
        ran = place.run(*private, "cluster.cpus=2")
        assert ran.code == 0, ran.err
        assert summary(place.study("first"))["counts"]["complete"] == 2
        for trial in "01":
            assert len(epochs(place, "first", trial)) <= 5, "at most one epoch is repeated"
