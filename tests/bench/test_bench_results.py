"""The book of the benches: sections are replaced one by one, and nothing is lost by what fails or was not asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from benches import load

results: Any = load("results")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with two sections; the benches print their name, and `epoch` fails."""

    def run(name: str, commands: Sequence[Any]) -> str | None:
        return None if name == "epoch" else f"today\n\nof {name}"

    monkeypatch.setattr(results, "run", run)
    monkeypatch.setattr(results, "check", lambda names, known: None)
    path = tmp_path / "results.md"
    path.write_text("# Head\n\n## scale\n\nbefore\n\n| a | b |\n\n## epoch\n\nyesterday\n")
    return path


def test_only_the_sections_of_those_named_are_new(book: Path) -> None:
    results.main(["scale", "overhead"], quick=True, results=book)
    text = book.read_text()
    assert results.sections(text) == {
        "overhead": "today\n\nof overhead",
        "scale": "today\n\nof scale",
        "epoch": "yesterday",
    }
    missing = "startup, rate, slots, memory, decisions, report, watching, forecast, doctor, confirm"
    assert text.startswith(f"{results.HEAD}Not measured yet: {missing}.\n\n## overhead\n")


def test_a_bench_that_fails_costs_the_others_nothing(book: Path) -> None:
    with pytest.raises(SystemExit, match=r"nothing new of them: epoch$"):
        results.main([], quick=False, results=book)
    found = results.sections(book.read_text())
    assert list(found) == [
        "overhead",
        "startup",
        "scale",
        "rate",
        "slots",
        "epoch",
        "memory",
        "decisions",
        "report",
        "watching",
        "forecast",
        "doctor",
        "confirm",
    ]
    assert found["epoch"] == "yesterday"
    assert found["decisions"] == "today\n\nof decisions"
    assert "Not measured yet" not in book.read_text()


def test_what_is_needed_is_looked_for_before_anything_is_measured(tmp_path: Path) -> None:
    known = {"epoch": [results.Command("epoch.py", 1)], "decisions": [results.Command("d.py", 1, tmp_path / "curves")]}
    results.check(["epoch"], known)
    with pytest.raises(SystemExit, match=r"decisions needs .*curves .*without it: epoch$"):
        results.check([], known)
    with pytest.raises(SystemExit, match=r"there is no bench 'speed': epoch, decisions$"):
        results.check(["speed"], known)
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "table.jsonl").touch()
    results.check([], known)


def test_a_section_tells_its_day_its_machine_and_its_commands(capfd: pytest.CaptureFixture[str]) -> None:
    text = results.run("epoch", [results.Command("epoch.py --help", 1), results.Command("startup.py --help", 1)])
    day, first, *_ = text.split("\n\n")
    assert day.startswith("20")
    assert " cores (" in day
    assert first == "`scripts/bench/epoch.py --help`"
    assert "`scripts/bench/startup.py --help`\n\nusage:" in text
    assert results.run("epoch", [results.Command("epoch.py --speed", 1)]) is None
    assert "epoch failed: epoch.py --speed" in capfd.readouterr().err
