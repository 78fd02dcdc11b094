"""Early stopping as the option has it: on the objective, and with the trial's own reports."""

from __future__ import annotations

from typing import Any

import pytest
from callback_parts import Net, Reports, Rows, fit, line, reporter
from command_line import compose
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import EarlyStopping

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take
from raytune_nn.trial.instantiate import instantiate


class Scripted(Net):
    """Logs these values, one a validation."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = iter(values)

    def on_validation_epoch_end(self) -> None:
        self.log("score", next(self.values))


def stopping(*overrides: str) -> EarlyStopping:
    """The option's callback."""
    config = compose("callbacks=early_stopping", "objective.metric=score", *overrides).config
    node = OmegaConf.select(OmegaConf.create(config), "callbacks.early_stopping")
    built = instantiate(OmegaConf.to_container(node, resolve=True))
    assert isinstance(built, EarlyStopping)
    return built


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("mode", "overrides", "values", "count"),
    [
        ("max", [], [0.1, 0.5, 0.4, 0.5, 0.3, 0.9], 5),
        ("min", [], [0.5, 0.1, 0.2, 0.1, 0.3, 0.0], 5),
        ("max", ["callbacks.early_stopping.patience=1"], [0.1, 0.5, 0.4, 0.9], 3),
        ("max", ["callbacks.early_stopping.min_delta=0.3"], [0.1, 0.3, 0.35, 0.39, 0.9], 4),
        ("max", [], [0.1, 0.2, 0.3, 0.4], 4),
    ],
)
def test_it_ends_after_patience_validations_and_the_last_is_reported(
    mode: str, overrides: list[str], values: list[float], count: int
) -> None:
    reports = Reports()
    callback, _ = reporter(reports, Objective("score", maximise=mode == "max", take=Take.best))
    stop: Any = stopping(f"objective.mode={mode}", *overrides)
    fit(Scripted(values), Rows(*line()), stop, callback, max_epochs=len(values))
    assert [report.metrics["score"] for report in reports] == pytest.approx(values[:count])
