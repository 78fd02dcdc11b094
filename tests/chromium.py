"""Headless Chromium, where it and Playwright are installed: Playwright runs once a process."""

from __future__ import annotations

import atexit
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
MISSING = [
    name for name, there in (("playwright", find_spec("playwright")), (str(CHROMIUM), CHROMIUM.exists())) if not there
]
needs_chromium = pytest.mark.skipif(bool(MISSING), reason=f"there is no {', no '.join(MISSING)}")


@cache
def browser() -> Any:
    """One for all tests; it ends with this process."""
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    atexit.register(playwright.stop)
    atexit.register(started.close)
    return started
