"""Writes a checkpoint where a report may be the study's best, or on its Pareto front, and none where it cannot be."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning import Trainer

from raytune_nn.config.objective import Objective, Values, finite

MODEL = "model.ckpt"
CONFIG = "config.yaml"


class Checkpointer:
    """Keeps the model of the report that is a trial's value, once no trial of the study is better.

    Args:
        folder: Where ``model.ckpt`` and ``config.yaml`` go; made with the first checkpoint.
        config: The trial's resolved configuration, written beside the model so that both are enough to use it.
        front: The study's when the trial began.
        values: The trial's before its next report.
    """

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        objective: Objective,
        front: tuple[Values, ...],
        values: Values | None = None,
    ) -> None:
        self._folder, self._config, self._objective = folder, config, objective
        self._front, self._values = front, values

    def keep(self, trainer: Trainer, values: Values | None) -> str | None:
        """Writes a checkpoint if this report is worth one; returns the folder's name if it did.

        It becomes the trial's value, and belongs on the front. A front only rises: what does not belong there when the
        trial begins never will, and a model that such a report leaves behind is no winner's.
        """
        if not finite(values) or not self._objective.replaces(values, self._values):
            return None
        self._values = values
        if not self._objective.joins(values, self._front):
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / CONFIG).write_text(yaml.dump(self._config, Dumper=yaml.CSafeDumper, sort_keys=False))
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
    if key in ("state_dict", "loops") or isinstance(part, (int, str)):  # tensors and numbers; the first is large
        return True
    buffer = io.BytesIO()
    try:
        torch.save(part, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception:  # pickle lets through whatever an object raises
        return False
    return True
