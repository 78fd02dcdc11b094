"""What is reported of several workers."""

from __future__ import annotations

import math
from typing import TypeVar

import pytest

from raytune_nn.trial.group import Group, Place

Value = TypeVar("Value")


class Met(Group):
    """A group whose other workers have these metrics."""

    def __init__(self, *others: dict[str, float]) -> None:
        super().__init__(Place(0, 1 + len(others), "127.0.0.1", 0))
        self.others = others

    def gather(self, value: Value) -> list[Value]:
        return [value, *self.others]  # type: ignore[list-item]


def test_a_metric_is_the_mean_of_the_workers_that_have_it() -> None:
    assert Met({"loss": 3.0}, {"loss": 5.0}).mean({"loss": 1.0, "mine": 7.0}) == {"loss": 3.0, "mine": 7.0}


def test_what_the_module_has_synchronised_stays_as_it_is() -> None:
    assert (0.1 + 0.1 + 0.1) / 3 != 0.1
    assert Met({"loss": 0.1}, {"loss": 0.1}).mean({"loss": 0.1}) == {"loss": 0.1}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_on_one_worker_is_not_in_the_mean(value: float) -> None:
    assert not math.isfinite(Met({"loss": value}, {"loss": 1.0}).mean({"loss": 1.0})["loss"])
    assert not math.isfinite(Met({"loss": value}).mean({"loss": -value})["loss"])
