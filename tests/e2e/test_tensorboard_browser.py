"""TensorBoard in a browser: its HParams page lists all trials of a real study in the right columns."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from chromium import browser, needs_chromium
from playwright.sync_api import Page
from processes import Study, first_study, summary

pytestmark = [pytest.mark.slow, needs_chromium]


@contextmanager
def served(study: Study) -> Iterator[str]:
    """TensorBoard on loopback, as the command's last line starts it; its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(study.folder / "tb"), "--port", "0"]
    process = subprocess.Popen([*command, "--host", "127.0.0.1"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        address = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in process.stderr)))[0]
        _wait_for_runs(address, 6)
        yield address
    finally:
        process.terminate()
        process.communicate()


def _wait_for_runs(address: str, count: int) -> None:
    for _ in range(300):
        with urllib.request.urlopen(f"{address}data/runs", timeout=30) as answer:
            if answer.read().count(b",") >= count - 1:
                return
        time.sleep(0.2)
    raise AssertionError("TensorBoard did not read the runs")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """The HParams page of the study, and no request to anywhere else."""
    with served(first_study()) as address, browser().new_page(viewport={"width": 2400, "height": 1000}) as page:
        page.route(lambda url: not url.startswith(address), lambda route: route.abort())
        page.goto(f"{address}#hparams")
        page.get_by_text("Trial ID").first.wait_for(timeout=60_000)
        yield page


def _rows(page: Page) -> list[dict[str, str]]:
    """The table as it is seen: by the names of its columns, from where its cells stand."""
    place = "cells => cells.map(cell => [cell.innerText.trim(), cell.getBoundingClientRect()])"
    lines: dict[int, dict[int, str]] = {}
    for text, box in page.eval_on_selector_all("vaadin-grid-cell-content", place):
        if text and box["width"]:
            lines.setdefault(round(box["y"]), {})[round(box["x"])] = text
    head = next(y for y, row in lines.items() if "Trial ID" in row.values())
    header, rows = lines[head], [lines[y] for y in sorted(lines) if y > head]
    return [{name: row[x] for x, name in header.items() if x in row} for row in rows]


def test_the_table_has_a_row_for_each_trial_and_a_column_for_each_parameter(page: Page) -> None:
    best = summary(first_study().folder)["best"]
    page.locator("paper-checkbox", has_text="optimizer.lr").click()  # the page shows five at first
    page.locator("vaadin-grid-cell-content", has_text="optimizer.lr").first.wait_for()
    rows = {row.pop("Trial ID"): row for row in _rows(page)}
    assert set(rows) == set("012345")
    for row in rows.values():
        assert set(row) == {*best["params"], "best/val_acc", "last/val_acc"}
    winner = rows[best["trial"]]
    assert float(winner["best/val_acc"]) == pytest.approx(best["value"], abs=1e-4)
    assert float(winner["optimizer.lr"]) == pytest.approx(best["params"]["optimizer.lr"], rel=1e-3)
    assert winner["model.net.activation"] == best["params"]["model.net.activation"]
