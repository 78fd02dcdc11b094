"""Opens the test data, in a process that ends with it: ``python -m raytune_nn.trial.testing``.

The driver sends a request as JSON and reads a line for each answer. A model is tested by Lightning's ``Trainer.test``
with the data module's own ``test_dataloader`` and the module's own ``test_step``, on one device of this machine.
Configured callbacks are left out: the saved weights are what is tested.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from raytune_nn.config.compose import resolved
from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.space.merge import merge_params
from raytune_nn.trial.targets import as_plain, check_targets, import_ends_process

if TYPE_CHECKING:
    from raytune_nn.trial.build import Built
    from raytune_nn.trial.isolation import Isolation

_BARE: dict[str, Any] = {"callbacks": {}, "logger": {}, "init": {}, "model_weights": None}  # the weights are loaded
_ONE_DEVICE = {"accelerator": "auto", "devices": 1, "num_nodes": 1, "strategy": "auto", "profiler": None}
_QUIET: dict[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class _NoTestData(Exception):
    """The data module has none."""


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
        command = [sys.executable, "-m", __name__]
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


def _look(tester: Tester, models: Sequence[Model], isolation: Isolation) -> dict[str, Any]:
    from raytune_nn.trial.blame import blame

    parameters: list[int] = []
    untestable, logged = "", None
    for model in models:
        config = _config(tester, model)
        try:
            built = _build(config, isolation, limit_val_batches=1, limit_test_batches=1)
            built.data.prepare_data()
            built.data.setup("fit")
            built.trainer.validate(built.model, dataloaders=built.data.val_dataloader(), verbose=False)
            parameters.append(sum(each.numel() for each in built.model.parameters() if each.requires_grad))
        except ConfigError:
            raise
        except Exception as error:
            raise blame(error, "batch", config) from error
        if len(parameters) == 1:
            untestable = _untestable(built)
            logged = None if untestable else _logged_by_test(built)
    return asdict(Looked(parameters, untestable, logged))


def _untestable(built: Built) -> str:
    from pytorch_lightning import LightningDataModule, LightningModule

    if type(built.model).test_step is LightningModule.test_step:
        return f"{type(built.model).__name__} has no test_step"
    if type(built.data).test_dataloader is LightningDataModule.test_dataloader:
        return f"{type(built.data).__name__} has no test_dataloader"
    return ""


def _logged_by_test(built: Built) -> list[str] | None:
    try:
        built.trainer.test(built.model, dataloaders=built.data.val_dataloader(), verbose=False)
    except Exception:  # it may want what only test batches have
        return None
    return list(built.trainer.callback_metrics)


def _test(tester: Tester, model: Model, isolation: Isolation, count_rows: bool) -> dict[str, Any]:
    built = _build(_config(tester, model), isolation)
    data: Any = built.data
    data.test_dataloader = _opened(built.data.test_dataloader)
    try:
        built.trainer.test(built.model, datamodule=data, ckpt_path=model.file, weights_only=True, verbose=False)
    except _NoTestData as none:
        return {"untestable": f"{type(built.data).__name__} has no test data: {none}"}
    except Exception as error:
        rule = "the test must run on the test data; nothing is recorded, and what is trained stays"
        found = f"{type(error).__name__}: {error} ({model.params})"
        raise ConfigError(rule, found, "mend the module or the data, then the same command") from error
    metrics = {name: float(value) for name, value in built.trainer.callback_metrics.items()}
    finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
    return {"metrics": finite, "overlap": _rows(data.test_dataloader()) / _train_rows(data) if count_rows else 0.0}


def _train_rows(data: Any) -> int:
    data.setup("fit")
    return _rows(data.train_dataloader())


def _opened(open_data: Callable[[], Any]) -> Callable[[], Any]:
    """What the data module says when it is asked for test data that it has not: ours raise a ValueError."""

    @wraps(open_data)
    def opened() -> Any:
        try:
            loaders = open_data()
        except (ValueError, NotImplementedError) as error:
            raise _NoTestData(str(error)) from error
        if loaders is None or loaders == []:
            raise _NoTestData("test_dataloader gives none")
        return loaders

    return opened


def _rows(loader: Any) -> int:
    from pytorch_lightning.utilities.data import extract_batch_size

    return sum(extract_batch_size(batch) for batch in loader)


def _config(tester: Tester, model: Model) -> dict[str, Any]:
    merged = merge_params(tester.config, tester.branches, model.params)
    return {**merged, **_BARE, "trainer": {**merged["trainer"], **_ONE_DEVICE}}


def _build(config: dict[str, Any], isolation: Isolation, **limits: int) -> Built:
    from raytune_nn.trial.build import build_trial
    from raytune_nn.trial.fit import quieten
    from raytune_nn.trial.instantiate import setting
    from raytune_nn.trial.isolation import trial_threads

    quieten(0)
    isolation.restore(int(setting(config, "seed")), trial_threads(config))
    config = {**config, "trainer": {**config["trainer"], **limits}}
    return build_trial(config, build_data=isolation.data.build, **_QUIET)


def _answers(what: str, tester: Tester, models: Sequence[Model]) -> Iterator[dict[str, Any]]:
    from raytune_nn.trial.instantiate import locate_all
    from raytune_nn.trial.isolation import Isolation, trial_threads

    for model in models:
        check_targets(resolved(merge_params(tester.config, tester.branches, model.params)), tester.allowed)
    locate_all(tester.config, tester.branches)
    isolation = Isolation(trial_threads(tester.config))
    if what == "look":
        yield _look(tester, models, isolation)
        return
    for model in models:
        answer = _test(tester, model, isolation, what == "rows")
        yield answer
        if "untestable" in answer:
            return


def _end_with_driver() -> None:
    os.read(0, 1)
    os._exit(1)


def _answer() -> None:
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with os.fdopen(os.dup(1), "w") as file:
        os.dup2(2, 1)  # the user's modules may print
        try:
            models = [Model(**model) for model in request["models"]]
            for answer in _answers(request["what"], Tester(**request["tester"]), models):
                print(json.dumps(answer), file=file, flush=True)
        except RaytuneError as error:
            print(json.dumps({"refusal": as_plain(error)}), file=file, flush=True)


if __name__ == "__main__":
    _answer()
