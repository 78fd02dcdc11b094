"""Over-fitting, and validation rows that are not like those of the training."""

from __future__ import annotations

import math

from raytune_nn.report.doctor.actions import changed, scaled, with_callback
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import History
from raytune_nn.report.doctor.signals import Curve, Signals, finite, middle, number, smooth
from raytune_nn.report.doctor.thresholds import (
    EARLY_GAP,
    FEW_REPORTS,
    FITTED,
    LATE_GAP,
    LEARNT,
    LEAST_REPORTS,
    LEFT,
    NEAR_GAP,
    NO_TRANSFER,
    RISE,
    SMALL_RISE,
)


def over_fits(signals: Signals) -> Finding | None:
    """Over-fitting: the validation loss has risen above its least while the training loss went on falling.

    The rise is Prechelt's generalization loss, of medians of three reports.
    """
    if signals.pair is None or len(signals.pair[0]) < LEAST_REPORTS:
        return None
    training, validation = signals.pair
    if not middle(validation[-FEW_REPORTS:]) > (1 + SMALL_RISE) * min(finite(validation), default=math.inf):
        return None  # nor is it of medians
    if mismatched(signals) is not None:
        return None
    smoothed = smooth(validation)
    losses = [value if value >= 0 else math.inf for value in smoothed]
    best = losses.index(min(losses))
    last, least = middle(validation[-FEW_REPORTS:]), smoothed[best]
    fitted, rise = middle(training[-FEW_REPORTS:]), SMALL_RISE if last > LEFT * training[0] else RISE
    learnt = fitted < max(FITTED * training[best], LEARNT * training[0])
    if not (last > (1 + rise) * least > 0 and learnt and fitted < last):
        return None
    places = range(best + 1, len(smoothed))
    place = next((place for place in places if smoothed[place] > (1 + rise) * least), len(smoothed) - 1)
    epochs = signals.history.epochs
    evidence = (
        f"validation loss {number(last)}, up {last / least - 1:.0%} from {number(least)} at epoch {epochs[best]}, "
        f"while the training loss fell from {number(training[best])} to {number(fitted)}"
    )
    source = "Prechelt 1998, Early Stopping - But When?, section 2; Goodfellow et al. 2016, Deep Learning, chapter 7"
    return Finding(Kind.over_fitting, epochs[place], evidence, _regularised(signals.history), source)


def _regularised(history: History) -> str:
    """More dropout, more decay, or an earlier end."""
    dropout = history.setting("model.net.dropout")
    if isinstance(dropout, float) and dropout < 0.5:
        action = changed(history, "model.net.dropout", round(min(0.5, dropout + 0.2), 2), most=0.8)
        if action is not None:
            return action
    decay = scaled(history, "optimizer.weight_decay", 10, most=1.0)
    return decay or with_callback(history, "early_stopping") or "callbacks=early_stopping"


def mismatched(signals: Signals) -> Finding | None:
    """Mismatch: validation is worse than training from the first reports on, and never was near.

    A training loss is the mean over an epoch, before which the network knew less: at the first report that of the
    validation is the lower one. A network that over-fits is near at first, and departs.
    """
    if signals.pair is None or len(signals.pair[0]) < LEAST_REPORTS:
        return None
    training, validation = signals.pair
    early = min(_gaps(training[:FEW_REPORTS], validation[:FEW_REPORTS]))
    late = middle(_gaps(training[-FEW_REPORTS:], validation[-FEW_REPORTS:]))
    apart = early >= EARLY_GAP or (early >= NEAR_GAP and _transfer(training, validation) < NO_TRANSFER)
    if not (late >= LATE_GAP and apart):
        return None
    history = signals.history
    evidence = (
        f"validation loss {number(validation[0])} where training had {number(training[0])} at epoch "
        f"{history.epochs[0]}, {number(validation[-1])} and {number(training[-1])} at the end: it never was near"
    )
    seed = history.setting("data.split_seed")
    action = changed(history, "data.split_seed", seed + 1) if isinstance(seed, int) else None
    source = "Goodfellow et al. 2016, Deep Learning, section 11.5; Karpathy 2019, A Recipe for Training Neural Networks"
    return Finding(Kind.mismatch, history.epochs[0], evidence, action or "objective.folds=5", source)


def _gaps(training: Curve, validation: Curve) -> list[float]:
    return [v / t if t > 0 else math.nan for t, v in zip(training, validation, strict=True)]


def _transfer(training: Curve, validation: Curve) -> float:
    """What share of the training loss's first fall, to half of the way, the validation loss fell as well."""
    half = (training[0] + min(training)) / 2
    place = next((place for place, value in enumerate(training) if value <= half), len(training) - 1)
    fell = training[0] - training[place]
    return (validation[0] - min(validation[: place + 1])) / fell if fell > 0 else 1.0
