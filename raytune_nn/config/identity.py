"""What makes two trainings the same: the part of a configuration that decides how a trial is trained, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# What decides which trials there are, where they run and what is kept and shown of them, but not how one is trained.
_OF_THE_STUDY = (
    *("mode", "verbose", "study", "cluster", "failures", "checkpoints", "logger", "lr_range", "export", "security"),
    *("search", "search_space", "plan", "reproduce", "confirm"),
)
_OF_THE_TRIAL = {"budget": ("max_epochs",), "resources": ("cpus", "gpus", "workers")}  # of these groups, only that


def training_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a trial's configuration that its training depends on; a key that is not known counts among them."""
    kept = {key: value for key, value in config.items() if key not in _OF_THE_STUDY}
    for group, keys in _OF_THE_TRIAL.items():
        if group in kept:
            kept[group] = {key: kept[group].get(key) for key in keys}
    return kept


def digest(value: Any) -> str:
    """A hash of plain data, the order of keys aside: 16 hexadecimal digits (BLAKE2b, 64 bits)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
