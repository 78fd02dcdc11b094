"""Commands run in this process, as ``python -m raytune_nn …`` runs them in one of its own."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from unittest import mock

from hydra.types import RunMode

from raytune_nn.cli import main
from raytune_nn.config.compose import Composed

Result = TypeVar("Result")

# Hydra composes everything twice, the first time to read `hydra.mode` only; many tests can do without that.
composed_once = mock.patch("hydra._internal.hydra.Hydra.get_mode", return_value=RunMode.RUN)


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rule(self) -> str:
        """The first line of the message, without the program's name."""
        return self.err.removeprefix("raytune_nn: ").partition("\n  found: ")[0].partition("\n  try: ")[0].strip()

    @property
    def found(self) -> str:
        found = re.search(r"\n  found: (.*?)(\n  try: |\Z)", self.err, re.DOTALL)
        return found[1].strip() if found else ""

    @property
    def fix(self) -> str:
        return self.err.partition("\n  try:   ")[2].strip()


def run(*arguments: str) -> Ran:
    """Runs a whole command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return Ran(code, out.getvalue(), err.getvalue())


def inside(task: Callable[[Composed], Result], *arguments: str) -> Result:
    """Composes a command and calls ``task`` where its mode would run, inside Hydra."""
    results: list[Result] = []
    with mock.patch("raytune_nn.cli.run_mode", lambda composed, _: results.append(task(composed))), composed_once:
        ran = run(*arguments)
    assert ran.code == 0, ran.err
    return results[0]


def compose(*arguments: str) -> Composed:
    """What a command composes to; no mode runs."""
    return inside(lambda composed: composed, *arguments)


def refused(*arguments: str, task: Callable[[Composed], object] = lambda composed: None) -> Ran:
    """The message of a command that does not compose, or whose ``task`` refuses it; no mode runs."""
    with mock.patch("raytune_nn.cli.run_mode", lambda composed, _: task(composed)), composed_once:
        ran = run(*arguments)
    assert ran.code == 2, f"exit code {ran.code}: {ran.out}{ran.err}"
    assert "Traceback" not in ran.err
    return ran
