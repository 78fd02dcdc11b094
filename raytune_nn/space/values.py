"""Plain values: what a distribution may be built from and may hand out, and how a value is shown to the user.

Plain are None, bool, int, float, str, and lists and dicts (keys: str) of those: what YAML, JSON and OmegaConf
agree on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from raytune_nn.errors import SpaceError

LARGEST_INT = 2**63 - 1
"""Integers have to fit into the 64 bits of a column of ``results.parquet``."""


class DomainError(SpaceError):
    """A field of a distribution breaks a rule.

    Args:
        rule: What must hold.
        found: The fields that break it.
        mend: Field to the value that mends it. Only the parser knows where the field stands.
    """

    def __init__(self, rule: str, found: object, mend: Mapping[str, Any]) -> None:
        self.mend = dict(mend)
        super().__init__(rule, found, " ".join(f"{name}={shown(value)}" for name, value in mend.items()))


def shown(value: object) -> str:
    """``value`` as it would be typed: null, true, "text", [1, 2]."""
    return json.dumps(value, default=repr, ensure_ascii=False)


def real(name: str, value: object, instead: float) -> float:
    """The finite float that ``value`` is.

    Raises:
        DomainError: it is none; ``instead`` is the value to offer for ``name``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DomainError(f"{name} must be a number", shown(value), {name: instead})
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DomainError(f"{name} must be a finite floating point number", shown(value), {name: instead})
    return number


def integer(name: str, value: object, instead: int) -> int:
    """The integer that ``value`` is; a float such as 1e3 counts where it is whole.

    Raises:
        DomainError: it is none, or needs more than 64 bits; ``instead`` is the value to offer for ``name``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DomainError(f"{name} must be an integer", shown(value), {name: instead})
    if isinstance(value, float) and not value.is_integer():
        nearest = round(value) if math.isfinite(value) else instead
        raise DomainError(f"{name} must be an integer", shown(value), {name: nearest})
    if abs(value) > LARGEST_INT:
        fitting = LARGEST_INT if value > 0 else -LARGEST_INT
        raise DomainError(f"{name} must fit into 64 bits", shown(value), {name: fitting})
    return int(value)


def plain(value: object) -> Any:
    """A copy of ``value`` made of plain values only: tuples become lists, subclasses their base.

    Raises:
        TypeError: ``value``, or something within it, is not plain.
        ValueError: a float within it is NaN, which equals nothing, not even itself.
    """
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            if value != value:
                raise ValueError("NaN")
            return kind(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(item) for item in value]
    raise TypeError(f"{value!r} is not a plain value")


def identity(value: object) -> Hashable:
    """A key that is equal for equal plain values of equal types: 1, 1.0, True differ, also within lists."""
    if isinstance(value, list):
        return ("list", *(identity(item) for item in value))
    if isinstance(value, dict):
        return ("dict", frozenset((key, identity(item)) for key, item in value.items()))
    return (type(value).__name__, value)
