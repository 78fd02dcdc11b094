"""200 random override lines through composing and the first stage of preflight: good, or refused; nothing is left."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from command_line import composed_once, run
from hypothesis import HealthCheck, Phase, given, settings
from random_commands import lines

from raytune_nn.modes.preflight import preflight


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


@fuzz(10)
@given(line=lines)
def test_a_few_lines(line: list[str], here: Path) -> None:
    check(line, here)


@pytest.mark.slow
@fuzz(200)
@given(line=lines)
def test_many_lines(line: list[str], here: Path) -> None:
    check(line, here)


@pytest.mark.parametrize("line", [["-cn", "--config-dir", "seed=1"], ["--config-dir"], ["--cfg", "-c"]])
def test_a_flag_is_no_value_of_another(line: list[str], here: Path) -> None:
    check(line, here)


def check(line: list[str], here: Path) -> None:
    with mock.patch("raytune_nn.cli.run_mode", lambda composed, _: preflight(composed)), composed_once:
        ran = run(*line)
    assert ran.code in (0, 2), ran.err
    assert "Traceback" not in ran.err
    assert ran.code == 0 or "\n  try:   " in ran.err or ran.err.startswith("usage: ")
    assert list(here.iterdir()) == []
