"""Divergence and oscillation: steps that are too large."""

from __future__ import annotations

import math
from itertools import takewhile

from raytune_nn.report.doctor.actions import lower_rate
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.signals import Curve, Signals, finite, middle, number
from raytune_nn.report.doctor.thresholds import (
    BACK_AND_FORTH,
    BACK_UP,
    BLOWN_UP,
    FEW_REPORTS,
    LEAST_REPORTS,
    MOST_AT_ONCE,
    SWING_FLOOR,
    WEAK_SCORE,
    WORSE_THAN_CHANCE,
)

_BOOK = "Goodfellow, Bengio & Courville 2016, Deep Learning, section 11.4.1"


def not_finite(signals: Signals) -> Finding | None:
    """Divergence: the training loss or the objective is no number any more."""
    history = signals.history
    watched = [("the objective", history.curve)]
    watched += [(what, curve) for what, curve in (("training loss", signals.training),) if curve is not None]
    for what, curve in watched:
        known = len(curve) - len(list(takewhile(lambda value: not math.isfinite(value), reversed(curve))))
        if known < len(curve):  # to the end: one report may lack what others have
            was = f", {number(curve[known - 1])} before" if known else ""
            return _diverged(signals, known, f"{what} was {curve[known]} at epoch {history.epochs[known]}{was}")
    if history.state == "diverged" and history.epochs:
        return _diverged(signals, len(history.epochs) - 1, "the objective was no finite number")
    return None


def blown_up(signals: Signals) -> Finding | None:
    """Divergence: the training loss ends well above what it was, and near where it began."""
    curve = signals.training
    if curve is None or len(curve) < FEW_REPORTS:
        return None
    last, earlier = middle(curve[-2:]), finite(curve[:-2])
    if not earlier or not math.isfinite(curve[0]):
        return None
    least = min(earlier)
    if last < BLOWN_UP * least or last < BACK_UP * curve[0] or least <= 0:
        return None
    places = range(curve.index(least) + 1, len(curve))
    place = next((place for place in places if curve[place] > BLOWN_UP * least), len(curve) - 1)
    return _diverged(signals, place, f"training loss {number(last)} at the end, {number(least)} at its least")


def worse_than_chance(signals: Signals) -> Finding | None:
    """Divergence: the training loss of a classification is far above that of answers at random.

    Answers at random among C classes have a cross entropy of log C and an accuracy of 1 / C.
    """
    accuracy, curve = signals.accuracy, signals.training
    if accuracy is None or curve is None or len(curve) < FEW_REPORTS:
        return None
    right, last = middle(accuracy[-FEW_REPORTS:]), middle(curve[-FEW_REPORTS:])
    if not 0 < right < WEAK_SCORE or not last > WORSE_THAN_CHANCE * max(1.0, -math.log(right)):
        return None  # a loss in other units may be as large where the answers are right
    chance = f"answers at random with the accuracy of {number(right)} have {number(-math.log(right))}"
    return _diverged(signals, len(curve) - FEW_REPORTS, f"training loss {number(last)} at the end; {chance}")


def _diverged(signals: Signals, place: int, evidence: str) -> Finding:
    history = signals.history
    return Finding(Kind.divergence, history.epochs[place], evidence, lower_rate(history, 10), _BOOK)


def oscillates(signals: Signals) -> Finding | None:
    """Oscillation: the losses go back and forth, instead of down, or down and then up.

    A third of that at least is the validation loss: a training loss that is nearly 0 jumps for a single batch.
    """
    known = {"validation loss": signals.validation, "training loss": signals.training}
    curves = {name: curve for name, curve in known.items() if curve and all(map(math.isfinite, curve))}
    if not curves or min(map(len, curves.values())) < LEAST_REPORTS:
        return None
    backs = {name: _back(curve) for name, curve in curves.items()}
    back = [sum(steps) for steps in zip(*backs.values(), strict=True)]
    for steps, least in ((back, BACK_AND_FORTH), (next(iter(backs.values())), BACK_AND_FORTH / 3)):
        if sum(min(step, MOST_AT_ONCE) for step in steps) < least * len(steps):
            return None
    history, largest = signals.history, back.index(max(back))
    shares = ", ".join(f"{name} by {100 * sum(steps) / len(steps):.0f}%" for name, steps in backs.items())
    name, curve = next(iter(curves.items()))
    shown = ", ".join(number(value) for value in curve[max(0, largest - 1) : largest + 3])
    evidence = f"back and forth a report: {shares}; {name} {shown}"
    source = "Smith 2018, A disciplined approach to neural network hyper-parameters, section 4.1"
    first = next(place for place, step in enumerate(back) if step >= BACK_AND_FORTH)
    return Finding(Kind.oscillation, history.epochs[first + 1], evidence, lower_rate(history, 3), source)


def _back(curve: Curve) -> list[float]:
    """How far each step goes against the way to the least value or away from it, as a share of the values there."""
    import numpy as np  # long curves are many; not at every start

    values = np.asarray(curve) / 4  # the unit does not matter, and so nothing overflows
    heights = (np.abs(values[:-1]) + np.abs(values[1:])) / 2 + SWING_FLOOR * abs(values[0])
    steps = np.diff(values) / np.where(heights > 0, heights, 1.0)
    least = int(values.argmin())
    return [*np.maximum(steps[:least], 0.0).tolist(), *np.maximum(-steps[least:], 0.0).tolist()]
