"""A trial and a study as a whole: what is said, in which order, and what could not be looked for."""

from __future__ import annotations

from dataclasses import replace

from histories import ACCURACY, FALLING, HEALTHY, LEARNT, made

from raytune_nn.report.doctor.diagnose import diagnose_study, diagnose_trial, unseen
from raytune_nn.report.doctor.finding import Kind
from raytune_nn.report.doctor.signals import Signals

RISING = (1.2, 0.7, 0.5, 0.4, 0.45, 0.5, 0.6, 0.7, 0.75, 0.8)
NO_PROBES = {name: None for name in HEALTHY if name.startswith("probe/")}


def test_what_showed_first_is_said_first() -> None:
    history = made({"val_loss": RISING, "probe/dead/1": (0.9,) * 10})
    assert [finding.kind for finding in diagnose_trial(history)] == [Kind.dead_units, Kind.over_fitting]


def test_all_can_be_looked_for() -> None:
    assert unseen(Signals(made())) == []


def test_without_probes_three_kinds_are_not_seen() -> None:
    (missing,) = unseen(Signals(made(NO_PROBES, {"callbacks": {}})))
    assert missing.kinds == (Kind.exploding_gradients, Kind.vanishing_gradients, Kind.dead_units)
    assert missing.action == "callbacks=probes"


def test_units_that_are_functions_are_not_seen() -> None:
    (missing,) = unseen(Signals(made({"probe/dead/1": None, "probe/dead/2": None})))
    assert missing.kinds == (Kind.dead_units,)


def test_without_a_training_loss_half_of_the_kinds_are_not_seen() -> None:
    (missing,) = unseen(Signals(made({"train_loss": None})))
    assert set(missing.kinds) == {Kind.over_fitting, Kind.under_fitting, Kind.mismatch, Kind.plateau}
    (missing,) = unseen(Signals(made({"val_loss": None})))
    assert set(missing.kinds) == {Kind.over_fitting, Kind.mismatch}


def test_a_trial_of_few_reports_is_not_healthy() -> None:
    (missing,) = unseen(Signals(made({"train_loss": (1.0,)})))
    assert len(missing.kinds) == len(Kind) - 1
    assert missing.why == "the trial has 1 report, and 3 are the least"
    (missing,) = unseen(Signals(made({"train_loss": (1.0, 0.9, 0.8)})))
    assert Kind.over_fitting in missing.kinds
    assert Kind.divergence not in missing.kinds


def test_means_over_folds_are_no_curves() -> None:
    history = made({"val_loss": RISING}, objective=replace(ACCURACY, folds=5))
    assert diagnose_trial(history) == []
    assert unseen(Signals(history))[0].action == "objective.folds=null"


def test_a_study_counts_its_kinds_with_the_most_frequent_action() -> None:
    wide = {"model": {"net": {"width": 256}}}
    histories = [
        made({"val_loss": RISING}, id="0"),
        made({"val_loss": RISING}, id="1"),
        made({"val_loss": RISING}, wide, id="2"),
        made({"train_loss": (*FALLING[:8], float("nan"), float("nan"))}, id="3"),
        made({"val_acc": LEARNT}, id="4"),
    ]
    found = diagnose_study(histories, None)
    assert [(count.kind, count.trials) for count in found.counts] == [
        (Kind.over_fitting, ("0", "1", "2")),
        (Kind.divergence, ("3",)),
    ]
    assert found.counts[0].action == "model.net.dropout=0.2"
    assert found.trials["4"] == []
    assert [unseen.why for unseen in found.study_unseen] == ["there is no search space"]
