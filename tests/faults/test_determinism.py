"""The same config trains to the same bits, however many slots there are, in whatever order, on however many cores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import Place, events, new_place, rows

RANDOM = ("+search=random", "budget.num_trials=6")
GRID = (
    *("+search=grid", "~search_space.model", "~search_space.optimizer.lr"),  # what is left is six points
    *("+search_space.optimizer.lr={dist: choice, options: [0.001, 0.01]}", "budget.num_trials=6"),
)
COMMON = ("study.name=first", "budget.max_epochs=5", "--config-dir", "conf", "callbacks=threads")
THREADS = """
import torch
from pytorch_lightning import Callback
from threadpoolctl import threadpool_info

class Threads(Callback):
    def on_validation_epoch_end(self, trainer, module):
        module.log("torch_threads", float(torch.get_num_threads()))
        module.log("library_threads", float(max(pool["num_threads"] for pool in threadpool_info())))
"""


def results(work: Path, *command: str, threads: int) -> tuple[str, str, str]:
    """What was suggested, what was reported, and the table, as texts: those of floats are exact.

    Args:
        threads: What the libraries would take by themselves, as on a machine with so many cores.
    """
    (work / "conf" / "callbacks").mkdir(parents=True)
    (work / "threads.py").write_text(THREADS)
    (work / "conf" / "callbacks" / "threads.yaml").write_text("threads: {_target_: threads.Threads}")
    variables = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with new_place(work, environment=variables) as place:
        ran = place.run(*command, *COMMON)
        assert ran.code == 0, ran.err
        return _suggested(place), _reported(place), _table(place)


def _suggested(place: Place) -> str:
    return json.dumps([event["params"] for event in events(place.study()) if event["type"] == "suggested"])


def _reported(place: Place) -> str:
    found = [event for event in events(place.study()) if event["type"] == "reported"]
    found.sort(key=lambda event: (int(event["trial"]), event["epoch"]))
    assert {event["metrics"]["torch_threads"] for event in found} == {1.0}, "resources.cpus decides"
    return json.dumps([[event[key] for key in ("trial", "epoch", "step", "metrics")] for event in found])


def _table(place: Place) -> str:
    return json.dumps([{key: value for key, value in row.items() if key != "seconds"} for row in rows(place.study())])


def check_equal(tmp_path: Path, command: tuple[str, ...], *slots: int) -> None:
    found = [results(tmp_path / str(cpus), *command, f"cluster.cpus={cpus}", threads=cpus) for cpus in slots]
    for suggested, reported, table in found[1:]:
        assert suggested == found[0][0]
        assert reported == found[0][1]
        assert table == found[0][2]


@pytest.mark.slow
def test_random_search_comes_to_the_same_bits_on_one_slot_and_on_three(tmp_path: Path) -> None:
    check_equal(tmp_path, RANDOM, 1, 3)


@pytest.mark.slow
def test_grid_search_comes_to_the_same_bits_on_any_number_of_slots(tmp_path: Path) -> None:
    check_equal(tmp_path, GRID, 1, 2, 3)
