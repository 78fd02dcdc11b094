"""The page about the configuration names every option."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytune_nn.config.compose import conf_dir

CONF = Path(conf_dir())
PAGE = (CONF / "README.md").read_text()
OPTIONS = sorted(str(path.relative_to(CONF).with_suffix("")) for path in CONF.rglob("*/*.yaml"))


@pytest.mark.parametrize("option", OPTIONS)
def test_it_is_named(option: str) -> None:
    group, _, name = option.rpartition("/")
    assert f"`{name}`" in PAGE or f"{group}={name}`" in PAGE or f"{group}={name} " in PAGE
