"""What a report says of how far its trial has come."""

from __future__ import annotations

import math

import pytest
import torch
from torchmetrics import MeanMetric

from raytune_nn.config.fidelity import EPOCHS, Fidelity, read_fidelity
from raytune_nn.errors import ConfigError


def report(**metrics: float) -> dict[str, object]:
    return {"epoch": 3, "step": 60, "metrics": metrics}


def test_epochs_and_steps_are_in_every_report() -> None:
    assert EPOCHS.reached(report()) == 3
    assert Fidelity("step").reached(report(step=7.0)) == 60
    assert [Fidelity(name).is_epochs for name in ("epoch", "step", "samples")] == [True, False, False]


def test_a_metric_is_the_whole_number_that_was_logged() -> None:
    samples = Fidelity("samples")
    reached = samples.reached(report(samples=3840.0))
    assert reached == 3840
    assert type(reached) is int
    assert samples.reached(report(samples=0.0)) == 0
    assert samples.reached(report(other=1.0)) is None


def test_the_mean_of_equal_whole_numbers_is_taken_for_them() -> None:
    """Lightning logs means in float32, weighted by the sizes of the batches."""
    missed = 0
    for count in range(1000, 100_000, 997):
        mean = MeanMetric()
        for size in (64, 64, 64, 17):
            mean.update(torch.tensor(float(count) / 3), size)
        logged = float(mean.compute() * 3)
        missed += logged != count
        assert Fidelity("samples").reached(report(samples=logged)) == count
    assert missed, "else this shows nothing"


@pytest.mark.parametrize("count", [0.5, 2.001, -1.0, math.nan, math.inf, -math.inf])
def test_another_number_is_refused(count: float) -> None:
    why = r"search\.fidelity=samples must be a whole number, but was .* in a report; search\.fidelity=step counts"
    with pytest.raises(ValueError, match=why):
        Fidelity("samples").reached(report(samples=count))


def test_a_fidelity_has_a_name() -> None:
    assert read_fidelity("epoch") == EPOCHS
    assert read_fidelity("tokens") == Fidelity("tokens")
    with pytest.raises(ConfigError, match=r"search\.fidelity must be epoch, step or the name of a metric") as refusal:
        read_fidelity("")
    assert refusal.value.fix == "search.fidelity=epoch"
