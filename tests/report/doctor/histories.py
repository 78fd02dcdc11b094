"""Histories of trials that never ran: curves by hand, in a configuration as the default one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.report.doctor.diagnose import diagnose_trial
from raytune_nn.report.doctor.finding import Finding, Kind
from raytune_nn.report.doctor.history import History

ACCURACY = Objective("val_acc", True, Take.best)
BOTH = Objective("val_acc", True, Take.best, further=(Goal("val_loss", False),))
SPACE: dict[str, Any] = {
    "optimizer": {
        "lr": {"dist": "loguniform", "low": 1e-4, "high": 1e-1},
        "choose": {"sgd": {"momentum": {"dist": "uniform", "low": 0.0, "high": 0.9}}, "adamw": {}},
    }
}
CONFIG: dict[str, Any] = {
    "budget": {"max_epochs": 10},
    "callbacks": {"probes": {"_target_": "raytune_nn.trial.callbacks.Probes"}},
    "data": {"batch_size": 64, "split_seed": 0},
    "init": {"_target_": None},
    "lr_scheduler": {"scheduler": None},
    "model": {"net": {"width": 128, "activation": "relu", "dropout": 0.0, "norm": "none"}},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.003, "weight_decay": 0.01},
    "trainer": {"gradient_clip_val": None},
    "search_space": SPACE,
}

FALLING = (2.0, 1.0, 0.5, 0.3, 0.2, 0.15, 0.12, 0.1, 0.09, 0.08)
LEARNT = (0.6, 0.8, 0.9, 0.92, 0.93, 0.94, 0.95, 0.95, 0.96, 0.96)
HEALTHY: dict[str, tuple[float, ...]] = {
    "train_loss": FALLING,
    "val_loss": (1.2, 0.7, 0.4, 0.3, 0.25, 0.22, 0.21, 0.2, 0.2, 0.2),
    "val_acc": LEARNT,
    **{f"probe/grad_norm/{group}": (1.0,) * 10 for group in (1, 2, 3)},
    **{f"probe/update_ratio/{group}": (1e-3,) * 10 for group in (1, 2, 3)},
    **{f"probe/dead/{group}": (0.05,) * 10 for group in (1, 2)},
}


def made(
    changes: Mapping[str, Sequence[float] | None] | None = None,
    config: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    state: str = "complete",
    id: str = "0",
    objective: Objective = ACCURACY,
) -> History:
    """A healthy training but for these series (None: not logged) and groups of the configuration."""
    series = {name: tuple(values) for name, values in {**HEALTHY, **(changes or {})}.items() if values is not None}
    count = min(map(len, series.values()), default=0)
    series = {name: values[:count] for name, values in series.items()}
    epochs = tuple(range(1, count + 1))
    return History(id, objective, {**CONFIG, **(config or {})}, params or {}, state, epochs, series)


def kinds(history: History) -> set[Kind]:
    return {finding.kind for finding in diagnose_trial(history)}


def only(history: History, kind: Kind) -> Finding:
    """The one finding, of this kind."""
    (finding,) = diagnose_trial(history)
    assert finding.kind is kind
    assert finding.source
    return finding
