"""Opens the test data, in a process that ends with it: ``python -m raytune_nn.trial.testing``.

`raytune_nn.trial.tester` sends a request as JSON and reads a line for each answer. A model is tested by Lightning's
``Trainer.test`` with the data module's own ``test_dataloader`` and the module's own ``test_step``, on one device of
this machine. Configured callbacks are left out: the saved weights are what is tested.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import wraps
from typing import Any

from pytorch_lightning import LightningDataModule, LightningModule
from pytorch_lightning.utilities.data import extract_batch_size

from raytune_nn.config.compose import resolved
from raytune_nn.errors import ConfigError, RaytuneError
from raytune_nn.space.merge import merge_params
from raytune_nn.trial.blame import blame
from raytune_nn.trial.build import Built, build_trial
from raytune_nn.trial.fit import quieten
from raytune_nn.trial.instantiate import locate_all, setting
from raytune_nn.trial.isolation import Isolation, trial_threads
from raytune_nn.trial.targets import as_plain, check_targets
from raytune_nn.trial.tester import Looked, Model, Tester

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


def _look(tester: Tester, models: Sequence[Model], isolation: Isolation) -> dict[str, Any]:
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
    return sum(extract_batch_size(batch) for batch in loader)


def _config(tester: Tester, model: Model) -> dict[str, Any]:
    merged = merge_params(tester.config, tester.branches, model.params)
    return {**merged, **_BARE, "trainer": {**merged["trainer"], **_ONE_DEVICE}}


def _build(config: dict[str, Any], isolation: Isolation, **limits: int) -> Built:
    quieten(0)
    isolation.restore(int(setting(config, "seed")), trial_threads(config))
    config = {**config, "trainer": {**config["trainer"], **limits}}
    return build_trial(config, build_data=isolation.data.build, **_QUIET)


def _answers(what: str, tester: Tester, models: Sequence[Model]) -> Iterator[dict[str, Any]]:
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


def _end_with_driver(answered: threading.Event) -> None:
    os.read(0, 1)
    os._exit(0 if answered.is_set() else 1)


def _answer() -> None:
    request = json.loads(sys.stdin.readline())
    answered = threading.Event()
    threading.Thread(target=_end_with_driver, args=(answered,), daemon=True).start()
    with os.fdopen(os.dup(1), "w") as file:
        os.dup2(2, 1)  # the user's modules may print
        try:
            models = [Model(**model) for model in request["models"]]
            for answer in _answers(request["what"], Tester(**request["tester"]), models):
                print(json.dumps(answer), file=file, flush=True)
        except RaytuneError as error:
            print(json.dumps({"refusal": as_plain(error)}), file=file, flush=True)
        answered.set()  # before the driver sees the end of it


if __name__ == "__main__":
    _answer()
