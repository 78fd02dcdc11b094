"""The report of a large study: how long it takes to be written and to be opened, and how large it is.

    .venv/bin/python scripts/bench/report.py [--trials 1000] [--points 300] [--repeats 3]

Makes a journal of so many trials with so many points each, runs ``mode=report`` on it, and opens the page in Chromium
from the disk, until all but the figures stands there; these are drawn when they come in sight, so each is scrolled to.
Prints Markdown: median (min to max). Without Playwright and Chromium the page is not opened.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path

from made_study import make_study
from timings import judged, spread, wall_seconds

from raytune_nn.store.folder import StudyFolder

CHROMIUM = Path("/usr/bin/chromium")
WRITE_SECONDS, OPEN_SECONDS, SIZE_MB = 10.0, 3.0, 25.0  # at most
THERE = "document.querySelectorAll('#table tbody tr').length"
PLOTS = "document.querySelectorAll('.plot')"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as storage:
        folder = StudyFolder(Path(storage) / "made")
        make_study(folder, options.trials, options.points)
        command = [sys.executable, "-m", "raytune_nn", "mode=report", f"study.storage={storage}", "study.name=made"]
        written = [wall_seconds(command) for _ in range(options.repeats)]
        opened, drawn = open_page(folder.report, options.repeats)
        size = folder.report.stat().st_size / 1e6
    print(f"{options.trials} trials of {options.points} points, {options.repeats} runs each\n")
    print("| report.html | | aim |\n|---|---|---|")
    print(f"| written, whole command, s | {_cell(written, WRITE_SECONDS)} | < {WRITE_SECONDS:g} |")
    print(f"| opened, s | {_cell(opened, OPEN_SECONDS) if opened else 'no browser here'} | < {OPEN_SECONDS:g} |")
    if drawn:
        print(f"| its figures, scrolled to one after another, s | {spread(drawn, 1)} | |")
    print(f"| size, MB | {judged(f'{size:.1f}', size < SIZE_MB)} | < {SIZE_MB:g} |")


def open_page(path: Path, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds until a page is there, and then until all figures were seen, each time in a browser that is new to it.

    Nothing where there is no browser.
    """
    if importlib.util.find_spec("playwright") is None or not CHROMIUM.exists():
        return [], []
    from playwright.sync_api import sync_playwright

    opened, drawn = [], []
    with sync_playwright() as browsers:
        for _ in range(repeats):
            browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            begun = time.monotonic()
            page.goto(path.as_uri())
            page.wait_for_function(THERE)
            opened.append(time.monotonic() - begun)
            for number in range(page.evaluate(f"{PLOTS}.length")):
                page.evaluate(f"{PLOTS}[{number}].scrollIntoView({{behavior: 'instant'}})")
                page.wait_for_function(f"{PLOTS}[{number}]._fullLayout")
            drawn.append(time.monotonic() - begun - opened[-1])
            browser.close()
    return opened, drawn


def _cell(seconds: list[float], most: float) -> str:
    return judged(spread(seconds, 1), sorted(seconds)[len(seconds) // 2] < most)


if __name__ == "__main__":
    main()
