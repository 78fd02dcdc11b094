"""Writes a checkpoint where a report may be the study's best, and none where it cannot be."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning import Trainer

from raytune_nn.config.objective import Objective
from raytune_nn.config.schema import Take

MODEL = "model.ckpt"
CONFIG = "config.yaml"


class Checkpointer:
    """Keeps the model of a trial's best report, once it beats the study's best.

    Args:
        folder: Where ``model.ckpt`` and ``config.yaml`` go; made with the first checkpoint.
        config: The trial's resolved configuration, written beside the model so that both are enough to use it.
        best_value: The study's best value when the trial began.
    """

    def __init__(self, folder: Path, config: dict[str, Any], objective: Objective, best_value: float | None) -> None:
        self._folder, self._config, self._objective = folder, config, objective
        self._best_value = best_value

    def keep(self, trainer: Trainer, value: float | None) -> str | None:
        """Writes a checkpoint if this report's value is worth one; returns the folder's name if it did.

        With ``take=last`` a later report replaces the trial's value, so a better one is always written and does not
        raise the bar for the next.
        """
        if value is None or not math.isfinite(value) or not self._objective.better(value, self._best_value):
            return None
        if self._objective.take is Take.best:
            self._best_value = value
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / CONFIG).write_text(yaml.safe_dump(self._config, sort_keys=False))
        draft = self._folder / f".{MODEL}"
        _save(trainer, draft)
        os.replace(draft, self._folder / MODEL)
        return self._folder.name


def _save(trainer: Trainer, path: Path) -> None:
    """What ``Trainer.save_checkpoint(weights_only=True)`` writes, less what ``torch.load(weights_only=True)`` refuses.

    Modules often keep their network or an enum among their hyperparameters, or add objects of their own.
    """
    checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=True)
    trainer.strategy.save_checkpoint({key: part for key, part in checkpoint.items() if _loads(key, part)}, path)


def _loads(key: str, part: Any) -> bool:
    if key in ("state_dict", "loops"):  # tensors and numbers; the first is too large to try
        return True
    buffer = io.BytesIO()
    try:
        torch.save(part, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception:  # pickle lets through whatever an object raises
        return False
    return True
