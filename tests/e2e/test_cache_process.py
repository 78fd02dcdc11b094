"""Whole commands that take over what an earlier study has trained: all of it, a part, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Place, events, new_place, rows, summary, write_scripted

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as made:
        yield made


def run(place: Place, name: str, *more: str, trials: int = 3) -> dict[str, Any]:
    """The summary of a small study that takes over from all others of the folder."""
    scripted = [text for text in write_scripted_once(place) if not text.startswith("study.name")]
    budget = (f"budget.num_trials={trials}", "budget.max_epochs=2", "cluster.cpus=2")
    sources = ("study.cache=[studies]",) if (place.work / "studies").is_dir() else ()
    ran = place.run("+search=random", *budget, f"study.name={name}", *sources, *scripted, *more)
    assert ran.code == 0, ran.err
    return summary(place.study(name))


def write_scripted_once(place: Place) -> tuple[str, ...]:
    """Does not undo a change of the module."""
    module = place.work / "scripted_module.py"
    text = module.read_text() if module.exists() else None
    written = write_scripted(place)
    if text is not None:
        module.write_text(text)
    return written


def test_identical_enlarged_and_changed_studies(place: Place) -> None:
    first = run(place, "first")
    assert (first["counts"]["cached"], first["counts"]["epochs"]) == (0, 6)

    again = run(place, "again")
    assert (again["counts"]["cached"], again["counts"]["epochs"]) == (3, 0)
    assert again["best"] == first["best"]
    assert events(place.study("again"), "started") == []
    assert {row["cached"] for row in rows(place.study("again"))} == {f"{place.study('first')}/{id}" for id in "012"}
    assert (place.study("again") / "best" / "model.ckpt").is_file()

    larger = run(place, "larger", trials=5)
    assert (larger["counts"]["cached"], larger["counts"]["epochs"]) == (3, 4)

    assert run(place, "seeded", "seed=7")["counts"]["cached"] == 0
    with (place.work / "scripted_module.py").open("a") as module:
        module.write("\n# another version\n")
    assert run(place, "changed")["counts"]["cached"] == 0


def test_a_folder_that_is_not_there_is_refused(place: Place) -> None:
    ran = place.run("+search=random", "study.cache=[nowhere]")
    assert ran.code == 2
    assert "study.cache must list folders of studies" in ran.err
    assert not (place.work / "studies").exists()
