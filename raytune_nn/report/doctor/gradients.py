"""Exploding and vanishing gradients, of probes."""

from __future__ import annotations

import math

from raytune_nn.report.doctor.actions import changed, lower_rate
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import History
from raytune_nn.report.doctor.signals import Curve, Signals, finite, number
from raytune_nn.report.doctor.thresholds import ALIVE, EXPLODED, GROWING, GROWN, VANISHED
from raytune_nn.report.doctor.units import cut_off


def explode(signals: Signals) -> Finding | None:
    """Exploding gradients: a group's norm is far above the loss's own scale, or grows on its way back."""
    norms = signals.probes("grad_norm")
    if not norms:
        return None
    losses = finite(signals.training or ())
    scale = max(1.0, min(losses)) if losses else 1.0
    for place, epoch in enumerate(signals.history.epochs):
        for number_of, norm in enumerate(norms, start=1):
            value, last = norm[place], norms[-1][place]
            grows = value > GROWING * last and value > GROWN * scale
            if value > EXPLODED * scale or grows:
                behind = f", {number(last)} in the last" if number_of < len(norms) else ""
                evidence = f"gradient norm {number(value)} in layer group {number_of} of {len(norms)}{behind}"
                source = "Pascanu, Mikolov & Bengio 2013, On the difficulty of training RNNs, section 3.2"
                return Finding(Kind.exploding_gradients, epoch, evidence, _clipped(signals.history), source)
    return None


def _clipped(history: History) -> str:
    """Clipping; where that is done already, a lower rate."""
    clips = history.setting("trainer.gradient_clip_val") is not None
    return (None if clips else changed(history, "trainer.gradient_clip_val", 1.0)) or lower_rate(history, 10)


def vanish(signals: Signals) -> Finding | None:
    """Vanishing gradients: in half of the reports, of the first group hardly anything is left of the last one's.

    What vanishes is a product of small slopes, and small. Where a group is dead and the gradient before it is exactly
    0, it was cut off: to be mended at the dead units, and named by them.
    """
    norms = signals.probes("grad_norm")
    if len(norms) < 2:
        return None
    first, last = norms[0], norms[-1]
    places = [place for place, value in enumerate(last) if value > ALIVE]
    least = 0.0 if cut_off(signals) else -1.0
    vanished = [place for place in places if least < first[place] < VANISHED * last[place]]
    if not vanished or 2 * len(vanished) < len(first):
        return None
    place = vanished[-1]
    evidence = (
        f"gradient norm {number(first[place])} in layer group 1, {number(last[place])} in group {len(norms)}, "
        f"and so in {len(vanished)} of {len(first)} reports"
    )
    source = "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward networks, section 4.2"
    epoch = signals.history.epochs[vanished[0]]
    return Finding(Kind.vanishing_gradients, epoch, evidence, _through(signals.history, first), source)


def _through(history: History, first: Curve) -> str:
    """An activation that saturates less, a norm, or other first weights."""
    if history.setting("model.net.activation") in ("sigmoid", "tanh"):
        action = changed(history, "model.net.activation", "relu")
        if action is not None:
            return action
    if history.setting("model.net.norm") == "none" and "model.net.norm" not in history.params:
        return "model.net.norm=layer"
    initial = history.setting("init._target_")
    return "init=orthogonal" if initial is None or math.isnan(first[0]) else "init=default"
