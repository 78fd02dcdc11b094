"""Makes the pictures of the README: the terminal while a study runs, its report by day and by night, and TensorBoard.

    scripts/pictures/take

Runs an ASHA study on the digits in a terminal of its own, whose text is drawn by rich; Chromium looks at the rest.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).resolve().parent
REPOSITORY = PICTURES.parents[1]
CHROMIUM = "/usr/bin/chromium"
STUDY = ("+search=asha", "study.name=digits", "budget.num_trials=24", "budget.max_epochs=27", "seed=3")
COLUMNS, LINES = 110, 36
MOST_BYTES = 300_000  # of a picture
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-HJKSTfhlsu]|\r")  # of the cursor, and what erases: between two drawings


def main() -> None:
    """Runs the study and takes all pictures."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="pictures-") as work, sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        typed = run_in_terminal(Path(work))
        take_terminal(browser, typed)
        take_report(browser, Path(work) / "studies" / "digits" / "report.html")
        with tensorboard(Path(work) / "studies" / "digits" / "tb") as address:
            take_tensorboard(browser, address)
        browser.close()
    for picture in sorted(PICTURES.glob("*.png")):
        size = picture.stat().st_size
        print(f"{picture.relative_to(REPOSITORY)}: {size / 1e3:.0f} KB")
        if size > MOST_BYTES:
            sys.exit(f"{picture.name} must be below {MOST_BYTES / 1e3:.0f} KB")


def run_in_terminal(work: Path) -> str:
    """All that the study's command wrote to a terminal."""
    screen, terminal = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": str(LINES), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment = {**os.environ, **size, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "raytune_nn", *STUDY]
    text = b""
    with subprocess.Popen(command, cwd=work, env=environment, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        while True:
            try:
                text += os.read(screen, 65536)
            except OSError:  # its last user has closed it
                break
    os.close(screen)
    if process.returncode:
        sys.exit(text.decode())
    return text.decode()


def frame_of(typed: str) -> str:
    """The live table somewhat after half of the study: one drawing of it, without what moves the cursor."""
    frames = [frame for frame in re.split(r"(?:\x1b\[1A\x1b\[2K)+", typed) if "running" in frame]
    return MOVES.sub("", frames[len(frames) * 2 // 3]).strip("\n")


def take_terminal(browser: Any, typed: str) -> None:
    """The command, and the table that it draws while it runs."""
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text(f"$ python -m raytune_nn {' '.join(STUDY[:3])}\n", style="bold"))
    console.print(Text.from_ansi(frame_of(typed)))
    page = browser.new_page(viewport={"width": 1000, "height": 600})
    page.set_content(console.export_svg(title="raytune_nn"))
    page.locator("svg").screenshot(path=PICTURES / "terminal.png")
    page.close()


def take_report(browser: Any, path: Path) -> None:
    """Its head by day, and its figures by night."""
    for scheme, section in (("light", None), ("dark", "#learning-curves")):
        context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
        page = context.new_page()
        page.goto(path.as_uri())
        if section is not None:
            page.locator(section).scroll_into_view_if_needed()
            page.evaluate(f"document.querySelector('{section}').scrollIntoView({{behavior: 'instant'}})")
            page.wait_for_function(f"document.querySelector('{section} .plot')._fullLayout")
        page.wait_for_timeout(1000)
        page.screenshot(path=PICTURES / f"report-{scheme}.png")
        context.close()


@contextmanager
def tensorboard(runs: Path) -> Iterator[str]:
    """A TensorBoard on loopback; its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(runs), "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.search(r"http://\S+", line):
                    yield found[0]
                    return
            sys.exit("TensorBoard did not start")
        finally:
            process.terminate()


def take_tensorboard(browser: Any, address: str) -> None:
    """Its table of hyperparameters."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(f"{address}#hparams")
    page.wait_for_load_state("networkidle")
    end = time.monotonic() + 30
    while "trial" not in page.inner_text("body").lower() and time.monotonic() < end:
        page.wait_for_timeout(500)
    page.wait_for_timeout(2000)
    page.screenshot(path=PICTURES / "tensorboard.png")
    page.close()


if __name__ == "__main__":
    main()
