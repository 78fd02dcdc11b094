"""What trainings on several seeds came to on the test data, and what follows from it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from raytune_nn.config.compose import resolved
from raytune_nn.errors import NoSuccessfulTrialError
from raytune_nn.modes.candidates import SEED
from raytune_nn.modes.seed_study import SeedStudy
from raytune_nn.space.merge import merge_params
from raytune_nn.store.checkpoints import MODEL, STATES
from raytune_nn.store.folder import usable
from raytune_nn.store.trial import TrialRecord
from raytune_nn.study.comparison import Measured, compare
from raytune_nn.trial.tester import Model, Tester, find_twin

LINE_SECONDS = 10.0  # between two lines of how far the test is

Trainings = Sequence[Sequence[TrialRecord]]  # of each configuration, on each seed
Say = Callable[[str], None]


@dataclass(frozen=True)
class Values:
    """Of each configuration a value for each seed; None where that training has no finite one."""

    metric: str
    on: str  # the data: test or validation
    why: str  # there are no test data; empty: there are
    overlap: float  # test rows over training rows where each seed cuts the data anew, else 0
    values: list[list[float | None]]


def open_test_data(inner: SeedStudy, trainings: Trainings, tester: Tester, tell: Say) -> Values:
    """Tests the model of each training that has one; without test data the values are those of validation.

    Raises:
        ConfigError: A test raised an exception, or does not log the metric.
    """
    having = [(place, trial) for place, row in enumerate(trainings) for trial in row if trial.successful]
    models = [Model(trial.params, _model_file(inner, trial)) for _, trial in having]
    found: dict[str, float | None] = {}
    metric, overlap, shown = "", 0.0, time.monotonic()
    if models:
        tell(f"opening the test data: {len(models)} models")
    answers = tester.test(models, _resamples(inner)) if models else iter(())
    for (_, trial), answer in zip(having, answers, strict=False):
        if "untestable" in answer:
            return validation_values(inner, trainings, answer["untestable"])
        metric = metric or find_twin(inner.checked.plan.objective.metric, list(answer["metrics"]))
        found[trial.id], overlap = answer["metrics"].get(metric), answer["overlap"]
        if time.monotonic() - shown > LINE_SECONDS:
            tell(f"tested {len(found)} of {len(models)} models")
            shown = time.monotonic()
    return Values(metric, "test", "", overlap, [[found.get(trial.id) for trial in row] for row in trainings])


def validation_values(inner: SeedStudy, trainings: Trainings, why: str) -> Values:
    """What takes their place where there are no test data."""
    values = [[trial.value if trial.successful else None for trial in row] for row in trainings]
    finite = [[value if value is not None and math.isfinite(value) else None for value in row] for row in values]
    return Values(inner.checked.plan.objective.metric, "validation", why, 0.0, finite)


def described(
    trial: TrialRecord, params: dict[str, Any], row: Sequence[TrialRecord], values: list[float | None], parameters: int
) -> dict[str, Any]:
    """A configuration as the journal has it, before it is compared with others."""
    epochs = [each.value_epoch for each in row if each.value_epoch is not None]
    return {
        "trial": trial.id,
        "params": params,
        "promised": trial.value,
        "values": values,
        "trainings": [each.id for each in row],
        "parameters": parameters,
        "epochs": sum(epochs) / len(epochs) if epochs else 0.0,
        "seconds": sum(each.seconds for each in row) / len(row),
    }


def judged(event: dict[str, Any], confidence: float) -> dict[str, Any]:
    """The event with intervals, tests, and who is recommended; best mean first.

    Raises:
        NoSuccessfulTrialError: No configuration has two values.
    """
    candidates = {each["trial"]: each for each in event["candidates"]}
    measured = [
        Measured(each["trial"], tuple(each["values"]), each["parameters"], each["epochs"], each["seconds"])
        for each in candidates.values()
    ]
    try:
        compared = compare(measured, confidence, event["maximise"], event["overlap"])
    except ValueError:
        found = f"{len(measured)} configurations on {len(event['seeds'])} seeds, none with two finite values"
        rule = "mode=confirm needs a configuration with finite values on two seeds"
        raise NoSuccessfulTrialError(rule, found, "see what went wrong above") from None
    standings = [{**candidates[standing.trial], **vars(standing)} for standing in compared.standings]
    chosen = {"best": compared.best, "recommended": compared.recommended, "tied": compared.tied}
    return {**event, "confidence": confidence, "candidates": standings, **chosen}


def _resamples(inner: SeedStudy) -> bool:
    """Whether the seed changes the data's configuration, such as by ``data.split_seed=${seed}``."""
    plan = inner.checked.plan
    data = []
    for seed in inner.seeds[:2]:
        params = {**inner.configurations[0], SEED: seed}
        data.append(resolved(merge_params(plan.config, plan.branches, params))["data"])
    return bool(data[0] != data[1])


def _model_file(inner: SeedStudy, trial: TrialRecord) -> str:
    folder = inner.checked.folder
    source = folder.checkpoints / str(trial.checkpoint)
    with usable(folder.shown(source)):
        folder.files.fetch_folder(source, but=STATES)
    return str(source / MODEL)
