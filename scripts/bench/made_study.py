"""A study that never ran: a folder with a configuration, a space and a journal, as a study leaves them.

Trials are random points of the default space. Their curves rise to a level that the learning rate and the width decide,
with noise, on slots that each train one after another.
"""

from __future__ import annotations

import heapq
import math
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import yaml
from timings import REPOSITORY

from raytune_nn import __version__
from raytune_nn.space.parse import parse_space
from raytune_nn.space.space import Space
from raytune_nn.store.folder import StudyFolder
from raytune_nn.store.journal import encode

SLOTS, EPOCH_SECONDS, GAP_SECONDS = 8, 2.0, 1.5
BEGAN = 1_700_000_000.0  # seconds since 1970


def make_study(folder: StudyFolder, trials: int, points: int) -> None:
    """Writes it.

    Args:
        trials: Of the study, each trained to its end.
        points: Reports of each.
    """
    command = ["+search=random", f"budget.num_trials={trials}", f"budget.max_epochs={points}", "study.name=made"]
    composed = subprocess.run(
        [sys.executable, "-m", "raytune_nn", "--cfg", "job", *command],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    folder.create()
    folder.config.write_text(composed)
    space = parse_space(yaml.safe_load(composed)["search_space"])
    folder.space.write_text(yaml.safe_dump(space.to_mapping()))
    folder.journal.mkdir()
    opened = {"name": "made", "command": f"python -m raytune_nn {' '.join(command)}", "torn": 0, "events": 0}
    now = BEGAN
    with (folder.journal / "00000.jsonl").open("wb") as file:  # a Journal would take minutes
        file.write(_line(BEGAN, "opened", {**opened, "versions": {"raytune_nn": __version__}}))
        for now, type, fields in heapq.merge(*(_slot(slot, trials, points, space) for slot in range(SLOTS)), key=_time):
            file.write(_line(now, type, fields))
        file.write(_line(now + 1, "closed", {"status": "complete", "reason": ""}))


Told = tuple[float, str, dict[str, Any]]  # when, what, and its content


def _slot(slot: int, trials: int, points: int, space: Space) -> Iterator[Told]:
    """The events of one slot's trials, in their order."""
    now = BEGAN + 5.0
    for trial in range(slot, trials, SLOTS):
        rng = random.Random(trial)
        params, speed = space.sample(rng), EPOCH_SECONDS * rng.uniform(0.5, 1.5)
        id, level = str(trial), _level(params)
        yield now, "suggested", {"trial": id, "params": params}
        yield now, "started", {"trial": id, "slot": slot}
        for epoch in range(1, points + 1):
            now += speed
            value = level * (1 - math.exp(-epoch / (0.1 * points))) + rng.gauss(0, 0.004)
            metrics = {"train_loss": 1.1 - value, "val_loss": 1 - value, "val_acc": value}
            content = {"epoch": epoch, "step": 21 * epoch, "seconds": speed * epoch, "metrics": metrics}
            yield now, "reported", {"trial": id, **content}
        yield now, "ended", {"trial": id, "state": "complete", "reason": ""}
        now += GAP_SECONDS


def _level(params: dict[str, Any]) -> float:
    """What a trial's curve rises to."""
    off: float = math.log10(params["optimizer.lr"]) + 2.5
    narrow = bool(params["model.net.width"] < 128)
    return 0.97 - 0.08 * off**2 - 0.05 * narrow


def _line(now: float, type: str, fields: dict[str, Any]) -> bytes:
    return encode({"type": type, "time": now, **fields})


def _time(told: Told) -> float:
    return told[0]
