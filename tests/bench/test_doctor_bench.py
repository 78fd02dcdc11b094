"""The doctor's bench: its faults are configurations that exist, and its shares are counted as it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from benches import load
from put_back import isolation_undone

from raytune_nn.report.doctor.finding import Kind

doctor: Any = load("doctor")
kinds: Any = load("doctor_kinds")
training: Any = load("doctor_training")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield from isolation_undone()


def said(fault: str, *found: Kind, network: str = "CNN") -> Any:
    return doctor.Said(doctor.Job(network, fault, 0, ()), frozenset(found))


def test_every_kind_of_a_trial_has_a_fault_and_there_are_ten() -> None:
    faults = [fault for fault in kinds.FAULTS.values() if fault.kind is not None]
    assert {fault.kind for fault in faults} == set(Kind) - {Kind.bound}
    assert len(faults) >= 10
    assert not any(fault.kind in fault.also for fault in faults)


@pytest.mark.slow
@pytest.mark.parametrize("network", kinds.NETWORKS)
def test_every_fault_composes(network: str) -> None:
    for fault in kinds.FAULTS.values():
        config, objective = training.composed(tuple(fault.typed(network)))
        assert objective.metric == "val_acc"
        assert set(config["callbacks"]) == {"probes", *(["fault"] if fault.callback else [])}


@pytest.mark.slow
def test_a_fault_is_trained_and_diagnosed() -> None:
    (job, *_) = doctor.fault_jobs(["dead units"], [1])
    assert Kind.dead_units in doctor._diagnose(job).kinds
    history, _ = training.train(job.typed, 0)
    again, _ = training.train(job.typed, 0)
    assert history == again
    assert torch.get_num_threads() == 1


def test_recall_and_precision_are_counted_by_kind() -> None:
    found = [
        said("few rows", Kind.over_fitting),
        said("few rows"),
        said("healthy", Kind.over_fitting),
        said("other labels", Kind.mismatch),
        said("few rows", Kind.over_fitting, network="MLP"),
    ]
    table = doctor.kinds_table(found)
    assert "| over-fitting | 2 | 1.00 | 0.50 | - | 0.50 **missed** | 0.50 **missed** |" in table
    assert "| train/validation mismatch | 1 | - | 1.00 | - | 1.00 | 1.00 |" in table


def test_what_may_be_said_besides_counts_neither_way() -> None:
    found = [said("deep sigmoid", Kind.vanishing_gradients, Kind.plateau), said("early decay", Kind.plateau)]
    table = doctor.kinds_table(found)
    assert "| plateau | 1 | - | 1.00 | - | 1.00 | 1.00 |" in table
    assert "| deep sigmoid | vanishing gradients | 1/1 | - |" in doctor.faults_table(found)
    wrong = [said("deep sigmoid", Kind.mismatch)]
    assert "| deep sigmoid | vanishing gradients | 0/1 | train/validation mismatch 1 |" in doctor.faults_table(wrong)


def test_any_finding_on_a_healthy_training_is_a_false_alarm() -> None:
    found = [said("healthy"), said("healthy", Kind.plateau, Kind.under_fitting), said("few rows")]
    table = doctor.healthy_table(found, "network", "Healthy")
    assert "| CNN | 1/2 | plateau 1, under-fitting 1 |" in table
    assert "| all | 1/2 = 50% **missed** | aim: ≤ 5% |" in table
