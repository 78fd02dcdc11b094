"""What stands in a page, read as a browser reads it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []  # whatever a browser would load or go to
        self.data: dict[str, Any] = {}  # by the identity of a script, its JSON
        self._texts: dict[str, list[str]] = {"": []}  # by the identity of a section
        self._section, self._script = "", ""
        self.feed(text)
        self.close()

    def text(self, section: str = "") -> str:
        """What a reader sees of a section, or in the head of the page."""
        return " ".join(" ".join(self._texts[section]).split())

    @property
    def sections(self) -> list[str]:
        return [id for id in self._texts if id]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append(tag)
        self.links += [named[name] or "" for name in ("src", "href", "action", "data") if name in named]
        if tag == "section":
            self._section = named["id"] or ""
            self._texts[self._section] = []
        if tag in ("script", "style"):
            self._script = named.get("id") or "code"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._script = ""

    def handle_data(self, data: str) -> None:
        if not self._script:
            self._texts[self._section].append(data)
        elif self._script != "code":
            self.data[self._script] = json.loads(data)
