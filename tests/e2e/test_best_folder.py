"""What a study's ``best/`` is good for: plain PyTorch, and one training more."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from processes import REPOSITORY, Place, events, first_study, new_place, summary

MARKER = "<!-- tested: best -->"


@pytest.fixture(scope="module")
def place() -> Place:
    """Where the study of the README's snippet was made."""
    return first_study().place


def snippet() -> str:
    """The code that follows the marker in the README."""
    _, found, after = (REPOSITORY / "README.md").read_text().partition(MARKER)
    assert found, f"README.md must have {MARKER} before the snippet that loads a study's best model"
    code = re.match(r"\s*```python\n(.*?)```", after, re.DOTALL)
    assert code, f"a python block must follow {MARKER}"
    return code[1]


def test_the_readmes_snippet_predicts_in_plain_pytorch(place: Place) -> None:
    ran = place.run("-c", snippet(), command=(sys.executable, "-W", "error"))
    assert ran.code == 0, ran.err
    printed = re.search(r"accuracy[^\n]*: (0\.\d+|1\.0)\n", ran.out)
    assert printed, ran.out
    assert float(printed[1]) > 0.9


@pytest.mark.slow
def test_the_winner_is_trained_once_more_with_equal_metrics(place: Place, tmp_path: Path) -> None:
    best = summary(place.study())["best"]
    ran = place.run("--config-dir", "studies/first/best")
    assert ran.code == 0, ran.err
    (again,) = [path for path in (place.work / "studies").iterdir() if path.name != "first"]
    assert summary(again)["best"]["value"] == best["value"]
    assert _metrics(again, "0") == _metrics(place.study(), best["trial"])
    shutil.rmtree(again)


@pytest.mark.slow
def test_the_winner_is_trained_elsewhere_under_the_same_name(place: Place, tmp_path: Path) -> None:
    with new_place(tmp_path) as elsewhere:
        shutil.copytree(place.study() / "best", tmp_path / "winner")
        ran = elsewhere.run("--config-dir", "winner", "study.name=first", "optimizer.lr=0.001", "budget.max_epochs=2")
        assert ran.code == 0, ran.err
        assert summary(elsewhere.study("first"))["counts"]["epochs"] == 2


def _metrics(study: Path, trial: str) -> list[str]:
    """The metrics of each report, as text to the last bit."""
    found = [event for event in events(study) if event["type"] == "reported" and event["trial"] == trial]
    return [json.dumps(event["metrics"]) for event in found]
