"""A study of two objectives as a user runs it, and all that the same folder is good for afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command_line import run
from processes import Place, new_place, rows, summary

STUDY = (
    "+search=nsga2", "search.searcher.population_size=3", "budget.num_trials=7", "budget.max_epochs=2", "seed=1",
    "objective.metric=[val_acc,val_loss]", "objective.mode=[max,min]", "study.name=first",
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


def front_of(table: list[dict[str, str]]) -> dict[str, tuple[float, float]]:
    """By definition, of the table's values."""
    points = {row["trial"]: (float(row["value"]), float(row["value.val_loss"])) for row in table}
    return {
        id: (acc, loss)
        for id, (acc, loss) in points.items()
        if not any(a >= acc and b <= loss and (a, b) != (acc, loss) for a, b in points.values())
    }


@pytest.mark.slow
def test_a_study_of_two_objectives(place: Place, here: Path) -> None:
    ran = place.run(*STUDY)
    assert ran.code == 0, ran.err
    folder, result = place.study(), summary(place.study())
    assert result["counts"]["complete"] == 7
    table = rows(folder)
    front = front_of(table)
    assert {entry["trial"]: tuple(entry["values"]) for entry in result["pareto_front"]} == front
    assert {row["trial"] for row in table if row["pareto_front"] == "true"} == set(front)
    assert result["best"]["trial"] == max(front, key=lambda id: front[id][0])
    assert {path.name for path in (folder / "checkpoints").iterdir()} == set(front)
    model = torch.load(folder / "best" / "model.ckpt", weights_only=True)
    kept = torch.load(folder / "checkpoints" / result["best"]["trial"] / "model.ckpt", weights_only=True)
    assert all(torch.equal(model["state_dict"][name], kept["state_dict"][name]) for name in kept["state_dict"])
    assert f"Pareto front of {len(front)} trial" in ran.out

    told = (folder / "summary.json").read_bytes(), (folder / "trials.csv").read_bytes()
    shown = run("mode=report", "study.name=first")
    assert shown.code == 0, shown.err
    assert {line.split()[1] for line in shown.out.splitlines() if line.startswith("   * ")} == set(front)
    assert ((folder / "summary.json").read_bytes(), (folder / "trials.csv").read_bytes()) == told
    again = run("mode=reproduce", "study.name=first", f"study.trial={list(front)[-1]}")
    assert (again.code, again.err) == (0, "")
    assert "2 reports, every metric equal to the last bit" in again.out
    finished = run(*STUDY)
    assert finished.code == 0, finished.err
    assert f"Pareto front of {len(front)} trial" in finished.out, "a finished one is shown"
