"""Dead units, of probes."""

from __future__ import annotations

from raytune_nn.report.doctor.actions import changed, lower_rate
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import History
from raytune_nn.report.doctor.signals import Signals, middle
from raytune_nn.report.doctor.thresholds import DEAD, FEW_REPORTS


def die(signals: Signals) -> Finding | None:
    """Dead units: in the last reports, many units of a group give all rows the same answer."""
    groups, shares = signals.probes("dead"), _shares(signals)
    worst = max(range(len(shares)), key=lambda place: shares[place] if shares[place] >= 0 else -1.0, default=None)
    if worst is None or len(groups[worst]) < FEW_REPORTS or not shares[worst] >= DEAD:
        return None
    epochs = signals.history.epochs
    place = next(place for place, share in enumerate(groups[worst]) if share >= DEAD)
    evidence = f"{shares[worst]:.0%} of the units in layer group {worst + 1} give the same answer to all rows"
    evidence += ", and no gradient comes through to layer group 1" if cut_off(signals) else ""
    source = "Lu, Shin, Su & Karniadakis 2019, Dying ReLU and Initialization, section 1"
    return Finding(Kind.dead_units, epochs[place], evidence, _revived(signals.history), source)


def cut_off(signals: Signals) -> bool:
    """Whether, at the end, no gradient at all comes through to the first group, and a group is dead."""
    norms = signals.probes("grad_norm")
    silent = bool(norms) and len(norms[0]) >= FEW_REPORTS and not any(norms[0][-FEW_REPORTS:])
    return silent and any(share >= DEAD for share in _shares(signals))


def _shares(signals: Signals) -> list[float]:
    """Of the units of each group, those that are dead in the last reports."""
    return [middle(shares[-FEW_REPORTS:]) for shares in signals.probes("dead")]


def _revived(history: History) -> str:
    """An activation with a slope everywhere; where there is no such key, a lower rate."""
    name = history.setting("model.net.activation")
    action = changed(history, "model.net.activation", "leaky_relu") if name in ("relu", "sigmoid", "tanh") else None
    return action or lower_rate(history, 3)
