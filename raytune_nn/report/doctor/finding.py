"""What the doctor says: that something is wrong, since when, by which numbers, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be wrong with a training, or (the last) with a study."""

    over_fitting = "over-fitting"
    under_fitting = "under-fitting"
    divergence = "divergence"
    oscillation = "oscillation"
    plateau = "plateau"
    exploding_gradients = "exploding gradients"
    vanishing_gradients = "vanishing gradients"
    dead_units = "dead units"
    mismatch = "train/validation mismatch"
    bound = "parameter at its bound"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    epoch: int  # of the report at which it was first seen, from 1; 0 of a study as a whole
    evidence: str  # the numbers, one line
    action: str  # what to type: overrides of keys that the study's configuration has
    source: str  # where the rule is from


@dataclass(frozen=True)
class Unseen:
    """What could not be looked for: silence about it is no good news."""

    kinds: tuple[Kind, ...]
    why: str
    action: str = ""  # an override with which the next study can be looked at; empty: there is none
