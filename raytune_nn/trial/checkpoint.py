"""Writes a checkpoint where a report may be the study's best, or on its Pareto front, and none where it cannot be."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning import Trainer

from raytune_nn.config.objective import Objective, Values, finite
from raytune_nn.store.checkpoints import MODEL
from raytune_nn.store.seal import write_sealed
from raytune_nn.trial.outbox import Outbox

CONFIG = "config.yaml"


class Checkpointer:
    """Keeps the model of the report that is a trial's value, once no trial of the study is better.

    Args:
        folder: Where ``model.ckpt`` and ``config.yaml`` go; made with the first checkpoint.
        config: The trial's resolved configuration, written beside the model so that both are enough to use it.
        front: The study's when the trial began.
        values: The trial's before its next report.
        outbox: Takes the files; None: they are written straight to the folder.
    """

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        objective: Objective,
        front: tuple[Values, ...],
        values: Values | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self._folder, self._config, self._objective = folder, config, objective
        self._front, self._values = front, values
        self._outbox = outbox or Outbox()
        self._described = False  # whether the configuration was written

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
        if not self._described:
            text = yaml.dump(self._config, Dumper=yaml.CSafeDumper, sort_keys=False).encode()
            self._outbox.put(self._folder / CONFIG, lambda file: file.write(text))
            self._described = True
        write = partial(torch.save, _content(trainer))
        self._outbox.put(self._folder / MODEL, partial(write_sealed, write))
        return self._folder.name


def _content(trainer: Trainer) -> dict[str, Any]:
    """What ``Trainer.save_checkpoint(weights_only=True)`` writes, less what ``torch.load(weights_only=True)`` refuses.

    Modules often keep their network or an enum among their hyperparameters, or add objects of their own.
    """
    checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=True)
    return {key: part for key, part in checkpoint.items() if _loads(key, part)}


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
