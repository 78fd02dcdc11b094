"""Trials that share a GPU, as a process; Ray hands out a GPU that is not there, and the trials train on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Place, events, new_place, rows, summary, write_scripted

from raytune_nn.study.conductor import ALONE_AND_FAILED, ALONE_NEXT

SPACE = "{model: {does: 'choice(crowd, outgrow, train)', value: 'choice(0.1, 0.2)'}}"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with new_place(tmp_path) as place:
        yield place


@pytest.mark.slow
def test_what_does_not_fit_beside_others_trains_alone(place: Place) -> None:
    overrides = write_scripted(place)
    (place.work / "conf" / "search_space" / "scripted.yaml").write_text(SPACE)
    search = ("+search=grid", "search_space=scripted", "budget.num_trials=6", "budget.max_epochs=2")
    ran = place.run(*overrides, *search, "cluster.cpus=2", "cluster.gpus=1", "resources.gpus=0.5")
    assert ran.code == 0, ran.err
    ends = {(row["params.model.does"], row["params.model.value"]): row["state"] for row in rows(place.study())}
    values = ("0.1", "0.2")
    assert ends == {(does, value): "failed" if does == "outgrow" else "complete" for does, value in _product(values)}
    journal = events(place.study())
    retried = [event["trial"] for event in journal if event["type"] == "retried"]
    assert len(retried) == len(set(retried)) == 4, "each that was crowded out, once"
    for trial in retried:
        assert f"trial {trial}: {ALONE_NEXT}\n" in ran.out
    assert f"2 times: {ALONE_AND_FAILED}" in ran.out
    assert "out of memory on a shared GPU, so tried again with one to themselves: trials " in ran.out
    assert _most_together(journal, set(retried)) == 1
    assert summary(place.study())["counts"]["failed"] == 2


def _product(values: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((does, value) for does in ("crowd", "outgrow", "train") for value in values)


def _most_together(journal: list[dict[str, object]], retried: set[str]) -> int:
    """How many trials ran at once at most while one of those retried had the GPU to itself."""
    running, alone, most = set[object](), set[object](), 0
    for event in journal:
        trial = event.get("trial")
        if event["type"] == "retried":
            alone.add(trial)
        if event["type"] == "started":
            running.add(trial)
        if event["type"] in ("ended", "retried"):
            running.discard(trial)
        if running & alone:
            most = max(most, len(running))
    return most
