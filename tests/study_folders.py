"""Folders of studies that never ran."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from raytune_nn.config.objective import Goal, Objective
from raytune_nn.config.schema import Take
from raytune_nn.store.folder import StudyFolder, write_yaml
from raytune_nn.store.holder import this_process
from raytune_nn.store.journal import Journal, read_journal
from raytune_nn.store.record import StudyRecord
from raytune_nn.study.results import write_results

SPACE = {
    "optimizer": {
        "choose": {"sgd": {"momentum": "uniform(0, 0.99)"}, "adamw": {}},
        "lr": "loguniform(1e-4, 1e-1)",
    }
}
PARAMS: list[dict[str, Any]] = [
    {"optimizer": "sgd", "optimizer.momentum": 0.5, "optimizer.lr": 0.01},
    {"optimizer": "adamw", "optimizer.lr": 0.001},
    {"optimizer": "adamw", "optimizer.lr": 0.1},
]


def make_study(
    path: Path, status: str = "complete", space: dict[str, Any] | None = None, further: str = "", **opened: Any
) -> tuple[StudyFolder, StudyRecord]:
    """A complete trial (0.5, 0.75), one that was stopped (0.5, 0.25) and one that failed before its first report.

    Args:
        further: A second metric, to be minimised.
        opened: What else its first event says.
    """
    folder = StudyFolder(path)
    folder.create()
    metrics = (
        {"metric": ["val_acc", further], "mode": ["max", "min"]} if further else {"metric": "val_acc", "mode": "max"}
    )
    write_yaml(folder.config, {"objective": {**metrics, "take": "best", "folds": None}})
    write_yaml(folder.space, SPACE if space is None else space)
    journal = Journal(folder.journal)
    journal.append("opened", name=path.name, command="python -m raytune_nn +search=asha", versions={}, **opened)
    for id, params in enumerate(PARAMS):
        journal.append("suggested", trial=str(id), params=params)
        journal.append("started", trial=str(id))
        for epoch, value in enumerate(((0.5, 0.75), (0.5, 0.25), ())[id], start=1):
            both = {"val_acc": value, **({further: 1 - value} if further else {})}
            journal.append("reported", trial=str(id), epoch=epoch, step=epoch, seconds=1.0 * epoch, metrics=both)
        state = ("complete", "stopped", "failed")[id]
        journal.append("ended", trial=str(id), state=state, reason=("", "stopped at rung 2", "ValueError: no")[id])
    if status != "running":
        journal.append("closed", status=status, reason="")
    journal.close()
    goals = (Goal(further, False),) if further else ()
    objective = Objective("val_acc", True, Take.best, further=goals)
    record = StudyRecord.fold(objective, read_journal(folder.journal))
    write_results(folder, record)
    return folder, record


def hold_as(folder: StudyFolder, pid: int | None) -> None:
    """As if a driver of this machine held the study: this process (None), or another one."""
    holder = this_process("python -m raytune_nn +search=asha")
    if pid is not None:
        holder = replace(holder, pid=pid)
    block = json.dumps({"id": "x", "beats": 1, "device": os.stat(folder.path).st_dev, "holder": holder.to_json()})
    (folder.path / ".lease").write_text(block)
