"""Each rule: a curve that it is about, near misses that it is not, and what it says to do."""

from __future__ import annotations

import math
from typing import Any

import pytest
from histories import CONFIG, FALLING, HEALTHY, LEARNT, kinds, made, only
from hypothesis import given
from hypothesis import strategies as st

from raytune_nn.report.doctor.diagnose import diagnose_trial, unseen
from raytune_nn.report.doctor.finding import Kind
from raytune_nn.report.doctor.signals import Signals

INF, NAN = math.inf, math.nan
FLAT = (2.0, 1.6, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5)
CHANCE = (0.1,) * 10


def norms(*groups: float) -> dict[str, Any]:
    return {f"probe/grad_norm/{number}": (norm,) * 10 for number, norm in enumerate(groups, start=1)}


def test_a_healthy_training_is_left_alone() -> None:
    assert kinds(made()) == set()


def test_over_fitting_is_a_rise_of_the_validation_loss() -> None:
    rising = (1.2, 0.7, 0.5, 0.4, 0.45, 0.5, 0.6, 0.7, 0.75, 0.8)
    finding = only(made({"val_loss": rising}), Kind.over_fitting)
    assert finding.epoch == 6, "the first whose median with its neighbours is a twentieth above the least"
    assert finding.evidence.startswith("validation loss 0.75, up 67% from 0.45 at epoch 4")
    assert finding.action == "model.net.dropout=0.2"


@pytest.mark.parametrize(
    ("train_loss", "val_loss"),
    [
        (FALLING, (1.2, 0.7, 0.4, 0.2, 0.2, 0.2, 0.2, 0.2, 0.22, 0.22)),  # a small rise of a small loss
        ((2.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5), (1.2, 0.7, 0.5, 0.4, 0.4, 0.5, 0.5, 0.6, 0.6, 0.6)),
        (FALLING, (1.2, 0.7, 0.4, 0.3, 0.2, 0.2, 0.9, 0.2, 0.2, 0.2)),  # one report
    ],
)
def test_no_over_fitting(train_loss: tuple[float, ...], val_loss: tuple[float, ...]) -> None:
    assert Kind.over_fitting not in kinds(made({"train_loss": train_loss, "val_loss": val_loss}))


def test_accuracies_stand_in_for_losses() -> None:
    train_acc = (0.3, 0.6, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.99, 0.99)
    val_acc = (0.3, 0.6, 0.75, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.5)
    history = made({"train_loss": None, "val_loss": None, "train_acc": train_acc, "val_acc": val_acc})
    assert kinds(history) == {Kind.over_fitting}


@pytest.mark.parametrize("names", [("train/loss", "valid/loss"), ("training_loss_epoch", "validation.loss")])
def test_pairs_are_found_by_other_names(names: tuple[str, str]) -> None:
    rising = (1.2, 0.7, 0.5, 0.4, 0.45, 0.5, 0.6, 0.7, 0.75, 0.8)
    assert kinds(made({"train_loss": None, "val_loss": None, names[0]: FALLING, names[1]: rising})) == {
        Kind.over_fitting
    }


def test_mismatch_is_a_gap_from_the_first_report_on() -> None:
    far = (3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0)
    finding = only(made({"val_loss": far, "val_acc": CHANCE}), Kind.mismatch)
    assert (finding.epoch, finding.action) == (1, "data.split_seed=1")


def test_mismatch_also_where_the_validation_just_never_learns() -> None:
    slow = (2.2, 2.1, 1.5, 1.0, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2)
    still = (2.35, 2.4, 2.4, 2.5, 2.6, 2.7, 2.8, 2.9, 3.0, 3.0)
    assert kinds(made({"train_loss": slow, "val_loss": still})) == {Kind.mismatch}
    followed = (2.2, 2.1, 1.8, 1.5, 1.2, 1.3, 1.5, 1.6, 1.7, 1.8)
    assert kinds(made({"train_loss": slow, "val_loss": followed})) == {Kind.over_fitting}


def test_under_fitting_is_a_training_that_stays_poor() -> None:
    slow = tuple(2.3 - 0.05 * epoch for epoch in range(10))
    finding = only(made({"train_loss": slow, "val_loss": slow, "val_acc": (0.3,) * 10}), Kind.under_fitting)
    assert finding.epoch == 10
    assert finding.action == "optimizer.lr=0.03"
    assert kinds(made({"train_loss": slow, "val_loss": slow, "val_acc": LEARNT})) == set(), "good all the same"
    assert kinds(made({"val_acc": (0.3,) * 10})) == set(), "the training is fitted"


def test_a_trial_that_was_stopped_early_is_not_called_under_fitting() -> None:
    slow = tuple(2.3 - 0.05 * epoch for epoch in range(10))
    long = {"budget": {"max_epochs": 81}}
    poor: dict[str, Any] = {"train_loss": slow, "val_loss": slow, "val_acc": (0.3,) * 10}
    assert kinds(made(poor, long, state="stopped")) == set()
    assert [missing.kinds for missing in unseen(Signals(made(poor, long, state="stopped")))] == [(Kind.under_fitting,)]
    assert kinds(made(poor, long)) == {Kind.under_fitting}, "it ended by itself"


def test_under_fitting_by_decay_wants_less_of_it() -> None:
    heavy = {"optimizer": {**CONFIG["optimizer"], "weight_decay": 30.0}}
    slow = tuple(2.3 - 0.05 * epoch for epoch in range(10))
    finding = only(made({"train_loss": slow, "val_loss": slow, "val_acc": CHANCE}, heavy), Kind.under_fitting)
    assert finding.action == "optimizer.weight_decay=0.3"


def test_a_plateau_is_high_and_flat() -> None:
    finding = only(made({"train_loss": FLAT, "val_loss": FLAT}), Kind.plateau)
    assert (finding.epoch, finding.action) == (7, "optimizer.lr=0.009")
    low = (2.0, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
    assert kinds(made({"train_loss": low, "val_loss": low})) == set()
    falls = tuple(1.5 * 0.99**epoch for epoch in range(10))
    assert Kind.plateau not in kinds(made({"train_loss": falls, "val_loss": falls}))


def test_a_plateau_under_a_schedule_wants_none() -> None:
    schedule = {"lr_scheduler": {"scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR"}}}
    finding = only(made({"train_loss": FLAT, "val_loss": FLAT}, schedule), Kind.plateau)
    assert finding.action == "lr_scheduler=none"


@pytest.mark.parametrize("value", [NAN, INF])
def test_divergence_is_no_number(value: float) -> None:
    finding = only(made({"train_loss": (*FALLING[:4], *[value] * 6)}), Kind.divergence)
    assert (finding.epoch, finding.action) == (5, "optimizer.lr=0.0003")


def test_divergence_from_the_first_report_on() -> None:
    history = made({"train_loss": (NAN,), "val_loss": (NAN,), "val_acc": (NAN,)}, state="diverged")
    assert only(history, Kind.divergence).epoch == 1


def test_divergence_is_a_loss_that_came_back() -> None:
    back = (2.0, 1.0, 0.5, 0.4, 0.5, 0.9, 1.5, 2.0, 2.2, 2.3)
    assert only(made({"train_loss": back}), Kind.divergence).epoch == 6
    bump = (2.0, 1.0, 0.1, 0.05, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3)
    assert Kind.divergence not in kinds(made({"train_loss": bump})), "far below where it began"


def test_divergence_is_worse_than_chance() -> None:
    stuck = (90.0, 60.0, 50.0, 45.0, 40.0, 42.0, 41.0, 40.0, 40.0, 41.0)
    found = kinds(made({"train_loss": stuck, "val_loss": stuck, "val_acc": CHANCE}))
    assert Kind.divergence in found


def test_a_metric_that_was_not_logged_at_first_is_no_divergence() -> None:
    assert kinds(made({"train_loss": (NAN, *FALLING[1:])})) == set()
    assert kinds(made({"train_loss": (*FALLING[:4], NAN, *FALLING[5:])})) == set()


def test_oscillation_goes_back_and_forth() -> None:
    swings = (1.2, 0.4, 0.7, 0.3, 0.6, 0.3, 0.7, 0.4, 0.6, 0.3)
    finding = only(made({"val_loss": swings}), Kind.oscillation)
    assert (finding.epoch, finding.action) == (3, "optimizer.lr=0.001")
    assert finding.evidence == (
        "back and forth a report: validation loss by 25%, training loss by 0%; validation loss 0.3, 0.6, 0.3, 0.7"
    )
    spike = (1.2, 0.6, 0.4, 0.3, 0.2, 2.8, 0.2, 0.2, 0.2, 0.2)
    assert kinds(made({"val_loss": spike})) == set(), "it was overcome"
    again = (*spike[:7], 2.8, 0.2, 0.2)
    assert only(made({"val_loss": again}), Kind.oscillation).epoch == 7
    ripples = (1.2, 0.4, 0.42, 0.4, 0.43, 0.4, 0.42, 0.4, 0.42, 0.4)
    assert kinds(made({"val_loss": ripples})) == set()
    down_and_up = (1.2, 0.6, 0.4, 0.3, 0.25, 0.25, 0.3, 0.4, 0.6, 0.8)
    assert Kind.oscillation not in kinds(made({"val_loss": down_and_up}))
    jumps = (2.0, 0.4, 0.04, 0.09, 0.03, 0.08, 0.02, 0.06, 0.01, 0.06)
    calm = (2.0, 1.2, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8)
    assert Kind.oscillation not in kinds(made({"train_loss": jumps, "val_loss": calm})), "one batch each"


def test_exploding_gradients_are_large_or_grow_on_their_way_back() -> None:
    assert only(made(norms(100.0, 50.0, 1.0)), Kind.exploding_gradients).action == "trainer.gradient_clip_val=1"
    assert only(made(norms(20.0, 2.0, 0.5)), Kind.exploding_gradients).epoch == 1
    assert kinds(made(norms(20.0, 20.0, 20.0))) == set()
    clipped = {"trainer": {"gradient_clip_val": 1.0}}
    assert only(made(norms(100.0, 50.0, 1.0), clipped), Kind.exploding_gradients).action == "optimizer.lr=0.0003"


def test_large_losses_have_large_gradients() -> None:
    large: dict[str, Any] = {name: tuple(100 * value for value in HEALTHY[name]) for name in ("train_loss", "val_loss")}
    assert kinds(made({**large, **norms(100.0, 100.0, 100.0), "val_acc": LEARNT})) == set()


def test_vanishing_gradients_do_not_reach_the_first_layers() -> None:
    assert only(made(norms(1e-5, 1e-3, 1.0)), Kind.vanishing_gradients).action == "model.net.norm=layer"
    assert kinds(made(norms(0.1, 1e-5, 1.0))) == set(), "only the first group's counts: it gets what is left"
    assert kinds(made(norms(1e-9, 1e-8, 1e-6))) == set(), "nothing is left to learn"
    sigmoid = {"model": {"net": {"activation": "sigmoid"}}}
    assert only(made(norms(1e-5, 1e-3, 1.0), sigmoid), Kind.vanishing_gradients).action == "model.net.activation=relu"


def test_a_gradient_that_dead_units_cut_off_has_not_vanished() -> None:
    dead = {"probe/dead/2": (1.0,) * 10}
    assert only(made({**norms(0.0, 0.0, 1.0), **dead}), Kind.dead_units).evidence.endswith(
        "no gradient comes through to layer group 1"
    )
    assert kinds(made({**norms(1e-6, 1e-3, 1.0), **dead})) == {Kind.dead_units, Kind.vanishing_gradients}
    assert kinds(made(norms(0.0, 0.0, 1.0))) == {Kind.vanishing_gradients}, "too small for its type of number"


def test_dead_units_at_the_end_count() -> None:
    dying = tuple(min(0.9, 0.1 * epoch) for epoch in range(1, 11))
    finding = only(made({"probe/dead/2": dying}), Kind.dead_units)
    assert (finding.epoch, finding.action) == (5, "model.net.activation=leaky_relu")
    assert finding.evidence == "90% of the units in layer group 2 give the same answer to all rows"
    assert kinds(made({"probe/dead/2": dying[::-1]})) == set(), "they came back to life"


curves = st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([NAN, INF, -INF, 0.0])), max_size=12)


@given(st.fixed_dictionaries(dict.fromkeys(HEALTHY, curves)))
def test_rules_bear_any_numbers(series: dict[str, list[float]]) -> None:
    history = made(dict(series))
    for finding in diagnose_trial(history):
        assert finding.epoch in history.epochs
        assert finding.action
        assert "\n" not in finding.evidence


@given(st.floats(0.01, 100.0))
def test_losses_in_other_units_are_judged_alike(factor: float) -> None:
    rising = (1.2, 0.7, 0.5, 0.4, 0.45, 0.5, 0.6, 0.7, 0.75, 0.8)
    scaled: dict[str, Any] = {
        "train_loss": tuple(factor * value for value in FALLING),
        "val_loss": tuple(factor * value for value in rising),
    }
    without = {name: None for name in HEALTHY if name.startswith("probe/")}
    assert kinds(made({**scaled, **without})) == {Kind.over_fitting}
