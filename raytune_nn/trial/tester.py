"""Asks a process that ends with the test for the test metrics of models; this one needs no torch for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raytune_nn.errors import ConfigError
from raytune_nn.trial.targets import import_ends_process

PROGRAM = "raytune_nn.trial.testing"


@dataclass(frozen=True)
class Model:
    """What is tested: a training's parameters, and where its weights are; None: they were not trained yet."""

    params: dict[str, Any]
    file: str | None = None


@dataclass(frozen=True)
class Looked:
    """What can be known before anything is trained, and without the test data."""

    parameters: list[int]  # that are trained, of each model
    untestable: str  # why there is nothing to test with; empty: there seems to be
    logged: list[str] | None  # by ``test_step`` on a validation batch; None: it does not take one


@dataclass(frozen=True)
class Tester:
    """A study's way from parameters and weights to test metrics; light to send.

    Args:
        config: The study's configuration, interpolations unresolved.
        branches: What each option of a chosen group composes to.
        allowed: Targets that need not be of their place's kind (``security.allow_targets``).
    """

    config: Mapping[str, Any]
    branches: Mapping[str, Any]
    allowed: Sequence[str]

    def look(self, models: Sequence[Model]) -> Looked:
        """Builds each model, and runs ``test_step`` of the first on one validation batch.

        Raises:
            ConfigError: A model does not build, or cannot take a batch.
        """
        (answer,) = self._ask("look", models)
        return Looked(**answer)

    def test(self, models: Sequence[Model], count_rows: bool) -> Iterator[dict[str, Any]]:
        """Opens the test data, and gives for each model what it logged: ``{"metrics": …, "overlap": …}``.

        Without test data there is but one answer, ``{"untestable": why}``.

        Args:
            count_rows: Whether ``overlap`` is wanted, test rows over training rows; else it is 0.

        Raises:
            ConfigError: A test raised an exception.
        """
        yield from self._ask("rows" if count_rows else "test", models)

    def _ask(self, what: str, models: Sequence[Model]) -> Iterator[dict[str, Any]]:
        request = json.dumps({"what": what, "tester": asdict(self), "models": [asdict(model) for model in models]})
        command = [sys.executable, "-m", PROGRAM]
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
            with process:
                try:
                    print(request, file=process.stdin, flush=True)  # it stays open: its end is that of the driver
                    for line in process.stdout or ():
                        answer = json.loads(line)
                        if "refusal" in answer:
                            raise ConfigError(*answer["refusal"])
                        yield answer
                finally:
                    if process.poll() is None and sys.exc_info()[0] is not None:
                        process.kill()
            if process.returncode:
                errors.seek(0)
                raise import_ends_process(f"exit code {process.returncode}: {errors.read().strip()[-2000:]}")


def test_twins(metric: str) -> list[str]:
    """What a test may call a metric of validation, the likeliest first: ``test_acc`` of ``val_acc``."""
    twin = re.sub(r"(?<![a-z])val(id(ation)?)?(?![a-z])", "test", metric, count=1)
    return [twin] if twin != metric else [f"test_{metric}", f"test/{metric}", metric]


def find_twin(metric: str, logged: Sequence[str]) -> str:
    """The name of a metric among those that a test logged.

    Raises:
        ConfigError: It is not among them.
    """
    twins = test_twins(metric)
    found = next((name for name in twins if name in logged), None)
    if found is None:
        rule = f"test_step must log what {metric} is of the test data, {' or '.join(twins)}"
        raise ConfigError(rule, f"it logs {', '.join(logged) or 'nothing'}", f"self.log({twins[0]!r}, …) in test_step")
    return found
