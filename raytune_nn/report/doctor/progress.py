"""Under-fitting and plateaus: trainings that do not get far."""

from __future__ import annotations

import math

from raytune_nn.report.doctor.actions import changed, higher_rate, scaled
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import History
from raytune_nn.report.doctor.signals import Curve, Signals, middle, number
from raytune_nn.report.doctor.thresholds import (
    FEW_REPORTS,
    FLAT,
    FLAT_SHARE,
    HIGH,
    LEAST_REPORTS,
    UNTRAINED,
    UNTRAINED_ALONE,
    WEAK_SCORE,
)

SIZES = ("width", "channels", "hidden_size")  # of the built-in networks


def under_fits(signals: Signals) -> Finding | None:
    """Under-fitting: training itself stays poor, and so does the validation."""
    training, score = signals.training, signals.score
    if training is None or len(training) < FEW_REPORTS or signals.history.cut_short:
        return None
    left = middle(training[-FEW_REPORTS:]) / training[0] if training[0] > 0 else math.nan
    reached = middle(score[-FEW_REPORTS:]) if score is not None else math.nan
    weak = left >= UNTRAINED and reached < WEAK_SCORE
    if not weak and not (score is None and left >= UNTRAINED_ALONE):
        return None
    what = f", and the validation reached {number(reached)}" if weak else ""
    evidence = f"training loss {number(training[-1])}, {left:.0%} of its first {number(training[0])}{what}"
    source = "Goodfellow et al. 2016, Deep Learning, section 11.3; Smith 2018, section 3"
    epoch = signals.history.epochs[-1]
    return Finding(Kind.under_fitting, epoch, evidence, _stronger(signals.history, training), source)


def _stronger(history: History, training: Curve) -> str:
    """Less regularisation where there is much, a higher rate where it still learns, else a larger network."""
    decay, dropout = history.setting("optimizer.weight_decay"), history.setting("model.net.dropout")
    action = None
    if isinstance(decay, (int, float)) and decay >= 1:
        action = scaled(history, "optimizer.weight_decay", 0.01)
    if action is None and isinstance(dropout, float) and dropout >= 0.6:
        action = changed(history, "model.net.dropout", round(dropout / 2, 2))
    if action is None and _falls(training):
        action = higher_rate(history, 10)
    for size in SIZES:
        action = action or scaled(history, f"model.net.{size}", 4)
    return action or f"budget.max_epochs={3 * history.max_epochs}"


def _falls(curve: Curve) -> bool:
    """Whether it still moves at the end."""
    return len(curve) > FEW_REPORTS and curve[-1] < (1 - FLAT) * curve[-1 - FEW_REPORTS]


def plateaus(signals: Signals) -> Finding | None:
    """Plateau: the training loss stays where it is, though it is high."""
    training, epochs = signals.training, signals.history.epochs
    if training is None or len(training) < LEAST_REPORTS or not all(map(math.isfinite, training)):
        return None
    count = max(FEW_REPORTS, round(FLAT_SHARE * len(training)))
    begin, part = training[-count:], max(1, count // 3)
    before, after = middle(begin[:part]), middle(begin[-part:])
    if training[0] <= 0 or after < HIGH * training[0] or before - after >= FLAT * before:
        return None
    if after > training[0] or min(training) < HIGH * training[0]:
        return None  # it moves, but not down
    start = len(training) - count
    evidence = f"training loss {number(before)} at epoch {epochs[start]} and {number(after)} at epoch {epochs[-1]}"
    source = "Goodfellow et al. 2016, Deep Learning, section 8.2.2; Smith 2017, Cyclical Learning Rates, section 3"
    return Finding(Kind.plateau, epochs[start], evidence, _moving(signals.history), source)


def _moving(history: History) -> str:
    """A rate that does not end too early, or another one."""
    if history.setting("lr_scheduler.scheduler") is not None and "lr_scheduler" not in history.params:
        return "lr_scheduler=none"
    return higher_rate(history, 3) or "lr_scheduler=cosine_restarts"
