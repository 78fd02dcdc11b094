"""Pages in headless Chromium: what it says of them, and what it would load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromium import browser

DRAW_ALL = """async () => {
  for (const plot of document.querySelectorAll(".plot")) {
    plot.scrollIntoView({ block: "center", behavior: "instant" });
    while (!plot._fullLayout) await new Promise(requestAnimationFrame);
  }
}"""


@dataclass
class Shown:
    """A page, and what went wrong on it."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[list[str]]:
        """Texts of the table of trials, as it stands."""
        texts: list[list[str]] = self.page.evaluate(
            "[...document.querySelectorAll('#table tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"
        )
        return texts

    def names(self) -> list[str]:
        """Of the table's columns."""
        names: list[str] = self.page.locator("#table thead tr:first-child button").all_text_contents()
        return names

    def column(self, name: str) -> list[str]:
        """One column of it."""
        place = self.names().index(name)
        return [row[place] for row in self.rows()]

    def field(self, name: str) -> Any:
        """What filters a column."""
        return self.page.get_by_label(f"keep by {name}", exact=True)

    def draw_all(self) -> None:
        """Scrolls past every figure."""
        self.page.evaluate(DRAW_ALL)

    def marks(self, figure: str, what: str = ".point") -> int:
        """Elements of this kind that a figure has drawn."""
        count: int = self.page.locator(f"#{figure} .plot {what}").count()
        return count

    def points(self, figure: str, mode: str) -> int:
        """Points with a value in the traces of a figure that are shown in this mode."""
        counted: int = self.page.evaluate(
            """([figure, mode]) => document.querySelector(`#${figure} .plot`)._fullData
                .filter(trace => trace.visible === true && trace.mode?.startsWith(mode))
                .reduce((sum, trace) => sum + [...(trace.y ?? [])].filter(Number.isFinite).length, 0)""",
            [figure, mode],
        )
        return counted


@contextmanager
def shown(path: Path, width: int = 1280, dark: bool = False) -> Iterator[Shown]:
    """Opens a page from the disk."""
    scheme = "dark" if dark else "light"
    context = browser().new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    told = Shown(page)
    page.on("console", lambda message: told.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: told.errors.append(str(error)))
    page.on("request", lambda request: told.requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelector('#table tbody')")
    yield told
    context.close()
