"""A cluster whose nodes come one by one: what a study waits for, how it spreads, and what reaches the nodes."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from autoscaled_nodes import autoscaled_nodes
from lost_nodes import cluster_and_place, command, epochs, node_of, of, pids, write_module
from processes import TIMEOUT, Place, events, new_place, rows, wait_until

THREE = {0.1: "long", 0.2: "long", 0.3: "long"}


def started(place: Place) -> set[str]:
    return {event["trial"] for event in of(place, "first", "started")}


@pytest.mark.slow
def test_a_study_waits_for_nodes_spreads_over_those_that_join_and_outlives_one(tmp_path: Path) -> None:
    """It begins with two, of three slots; the third trial runs beside the others once there is a node for it."""
    with cluster_and_place(tmp_path, 0, 1) as (nodes, place):
        more = ("cluster.min_nodes=2", "cluster.max_slots=3", "budget.max_epochs=12", "failures.max_retries=0")
        with place.start(*command(nodes, "first", THREE, *more)) as process:
            assert process.stdout is not None
            said = [process.stdout.readline().strip() for _ in range(2)]
            assert said[1].startswith("waiting for nodes with room for a worker of a trial: 1 of 2 are there"), said
            assert not place.study().exists()
            nodes.add(1)
            wait_until(lambda: len(started(place)) == 2 or process.poll() is not None, TIMEOUT)
            nodes.add(1)
            wait_until(lambda: len(started(place)) == 3 or process.poll() is not None, TIMEOUT)
            assert process.poll() is None, process.communicate()
            assert of(place, "first", "ended") == [], "three at once, on nodes of one core"
            wait_until(lambda: bool(epochs(place, "first", "2")) or process.poll() is not None, TIMEOUT)
            on = [node_of(nodes, pids(place, value)[0]) for value in THREE]
            assert len({node.id for node in on}) == 3
            nodes.kill(on[2])
            _, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, err
        assert [row["state"] for row in rows(place.study())] == ["complete"] * 3
        assert [(event["trial"], event["counts"]) for event in of(place, "first", "retried")] == [("2", False)]
        assert (place.leftovers(), place.processes()) == ([], [])


@pytest.mark.slow
def test_modules_reach_a_node_without_them_and_one_without_the_storage_ends_the_study(tmp_path: Path) -> None:
    work, share = tmp_path / "work", tmp_path / "share"
    work.mkdir()
    share.mkdir()
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs the permission to mount (CAP_SYS_ADMIN)")
    with cluster_and_place(work, 0) as (nodes, place):
        (work / "notes").rename(share / "notes")
        nodes.add(1, hidden=[work])
        more = (f"study.storage={share}", f"model.notes={share}/notes", "budget.max_epochs=6")
        typed = command(nodes, "first", {0.1: "long", 0.2: "long"}, *more)
        with place.start(*typed) as process:
            wait_until(lambda: bool(events(share / "first", "reported")) or process.poll() is not None, TIMEOUT)
            assert process.poll() is None, process.communicate()
            bad = nodes.add(1, hidden=[work, share])
            _, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 4, err
        rule = "study.storage must be a folder that all nodes of the cluster share; one has joined that is not so"
        assert rule in err
        assert bad.id[:8] in err
        assert "Traceback" not in err
        nodes.kill(bad)
        ran = place.run(*typed)
        assert ran.code == 0, ran.err
        assert [row["state"] for row in rows(share / "first")] == ["complete"] * 2
        trained = [event["epoch"] for event in events(share / "first", "reported") if event["trial"] == "0"]
        assert trained == [1, 2, 3, 4, 5, 6], "trials had saved their states"
        assert (place.leftovers(), place.processes()) == ([], [])
        assert sorted(path.name for path in share.iterdir()) == ["first", "notes"]


@pytest.mark.slow
def test_an_autoscaler_adds_the_nodes_that_trials_wait_for(tmp_path: Path) -> None:
    """It has none when the study begins, and all that the study may use while trials wait."""
    write_module(tmp_path)
    with (
        tempfile.TemporaryDirectory(prefix="rtn-") as folder,
        autoscaled_nodes(Path(folder), most=2) as nodes,
        new_place(tmp_path, environment=nodes.environment) as place,
    ):
        more = ("cluster.max_slots=2", "cluster.wait_minutes=3", "budget.max_epochs=3")
        ran = place.run(*command(nodes, "first", THREE, *more))
        assert ran.code == 0, ran.err
        assert "waiting for nodes with room for a worker of a trial: 0 of 1 are there" in ran.out
        assert [row["state"] for row in rows(place.study())] == ["complete"] * 3
        first = [event["type"] for event in of(place, "first", "") if event["type"] in ("started", "ended")][:2]
        assert first == ["started", "started"], "two at once"
        large = place.run(*command(nodes, "large", THREE, *more, "resources.cpus=2", "cluster.wait_minutes=0.2"))
        assert large.code == 2, large.err
        assert "a worker of a trial must fit on one node of the cluster" in large.err
