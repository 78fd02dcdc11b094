"""The scheduler in the README is the one that keeps the contract."""

from __future__ import annotations

import re
from pathlib import Path

import example_scheduler


def test_the_readme_shows_the_example() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    _, found, after = readme.read_text().partition("<!-- tested: scheduler -->")
    assert found, "README.md must have <!-- tested: scheduler --> before the example of a scheduler"
    code = re.match(r"\s*```python\n(.*?)```", after, re.DOTALL)
    assert code, "a python block must follow the marker"
    assert code[1] == Path(example_scheduler.__file__).read_text()
