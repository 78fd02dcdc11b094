"""One training of the doctor's bench, in this process: what a trial reports, without Ray and folders."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning import seed_everything

from raytune_nn.config.compose import conf_dir, register_marks, type_config
from raytune_nn.config.objective import Objective, Values, read_objective
from raytune_nn.report.doctor.history import READ, History
from raytune_nn.trial.build import build_trial
from raytune_nn.trial.lean_loop import lighten
from raytune_nn.trial.reporter import Reporter
from raytune_nn.trial.task import Report


class Keeper:
    """In a checkpointer's place: keeps nothing."""

    def keep(self, trainer: Any, values: Values | None) -> None:
        """No model is worth a file."""


def train(typed: Sequence[str], seed: int) -> tuple[History, float]:
    """The history of a training, and its seconds."""
    config, objective = composed(tuple(typed))
    quiet()
    reports: list[Report] = []

    def send(report: Report) -> bool:
        reports.append(report)
        return True

    seed_everything(seed, verbose=False)
    reporter = Reporter(send, objective)
    reporter.checkpointer = Keeper()  # type: ignore[assignment]
    silent: Any = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    built = build_trial(config, callbacks=[reporter], enable_checkpointing=True, **silent)
    start = time.perf_counter()
    built.trainer.fit(built.model, datamodule=built.data)
    return history(str(seed), objective, config, reports), time.perf_counter() - start


def history(id: str, objective: Objective, config: dict[str, Any], reports: Sequence[Report]) -> History:
    """As the journal would have it."""
    names = dict.fromkeys(name for report in reports for name in report.metrics)
    series = {name: tuple(report.metrics.get(name, math.nan) for report in reports) for name in names}
    lost = not math.isfinite(reports[-1].metrics[objective.metric])
    read = {name: config[name] for name in READ}
    state = "diverged" if lost else "complete"
    return History(id, objective, read, {}, state, tuple(report.epoch for report in reports), series)


@cache
def composed(typed: tuple[str, ...]) -> tuple[dict[str, Any], Objective]:
    """The configuration of these overrides."""
    register_marks()
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        found = type_config(compose("config", [*typed, "verbose=0", "trainer=cpu"]))
    return found.config, read_objective(found.settings.objective)


@cache
def quiet() -> None:
    """One thread, no words; once a process."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    lighten()
