"""Writes a checkpoint where a report may be the study's best, and none where it cannot be."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

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
        trainer.save_checkpoint(draft, weights_only=True)
        os.replace(draft, self._folder / MODEL)
        return self._folder.name
