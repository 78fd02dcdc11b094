"""Losses of nodes are free, unless a trial brings them about."""

from __future__ import annotations

from raytune_nn.study.preemption import FREE, Preemption


def test_a_trial_that_reports_between_losses_is_never_charged() -> None:
    preemption = Preemption()
    for _ in range(10 * FREE):
        assert preemption.is_free("0")
        preemption.reported("0")


def test_a_trial_that_loses_one_node_after_another_without_a_report_is() -> None:
    preemption = Preemption()
    assert [preemption.is_free("0") for _ in range(FREE + 2)] == [True] * FREE + [False] * 2
    assert preemption.is_free("1"), "each trial by itself"
    preemption.reported("0")
    assert preemption.is_free("0")
