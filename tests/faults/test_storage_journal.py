"""A journal that a fault has torn or changed, as whole commands meet it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Place, new_place, rows, summary

STUDY = ("+search=random", "study.name=first", "budget.num_trials=3", "budget.max_epochs=2", "seed=1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A finished study."""
    with new_place(tmp_path_factory.mktemp("journal")) as place:
        ran = place.run(*STUDY)
        assert ran.code == 0, ran.err
        yield place


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_torn_last_line_is_dropped_and_the_study_goes_on(place: Place) -> None:
    whole = rows(place.study())
    segment = place.study() / "journal" / "00000.jsonl"
    before = segment.read_bytes()
    try:
        end = before.rindex(b'"type":"ended"')  # what follows is gone with its second half
        segment.write_bytes(before[: end + 40])
        ran = place.run(*STUDY)
        assert ran.code == 0, ran.err
        assert "dropped 1 half-written line of the journal" in ran.out
        assert [(row["trial"], row["value"]) for row in rows(place.study())] == [
            (row["trial"], row["value"]) for row in whole
        ]
        assert summary(place.study())["status"] == "complete"
    finally:
        for later in sorted((place.study() / "journal").iterdir())[1:]:
            later.unlink()
        segment.write_bytes(before)


@pytest.mark.slow
def test_a_line_that_was_changed_is_refused_by_its_place_and_nothing_is_touched(place: Place) -> None:
    segment = place.study() / "journal" / "00000.jsonl"
    intact = segment.read_bytes()
    middle = intact.index(b'"val_acc":0.') + 12
    segment.write_bytes(intact[:middle] + bytes([intact[middle] ^ 1]) + intact[middle + 1 :])
    before = content(place.study())
    line = intact[:middle].rindex(b"\n") + 1
    try:
        for command in (STUDY, ("mode=report", STUDY[1]), ("mode=reproduce", STUDY[1])):
            ran = place.run(*command)
            assert ran.code == 4, ran.err
            assert f"{segment}, byte {line}: " in ran.err
            assert "restore the file from a backup, or start under another study.name" in ran.err
            assert "Traceback" not in ran.out + ran.err
            assert content(place.study()) == before
    finally:
        segment.write_bytes(intact)
    assert place.leftovers() == []
    shutil.rmtree(place.study())
