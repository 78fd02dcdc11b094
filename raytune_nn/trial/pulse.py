"""The sign of life of a training between its reports, which may be hours apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Pulse:
    """Written by the training, read by other threads."""

    batches: int = 0  # finished so far, of training and of validation
