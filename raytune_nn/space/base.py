"""What every distribution of a search space can do."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar

MOST_LISTED = 1_000_000
"""``values()`` lists no more: a grid over more of them never ends, and the list would fill the memory."""


class Domain(ABC):
    """The values that one parameter can take, and how to draw one of them."""

    dist: ClassVar[str]
    """The name in the configuration, such as ``loguniform``."""
    example: ClassVar[Mapping[str, Any]]
    """Good values of all fields: what an error message offers in place of a bad one."""

    @abstractmethod
    def sample(self, rng: random.Random) -> Any:
        """Draw one value; the state of ``rng`` alone decides which."""

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Whether ``value`` is one of the domain's. No bool is a number here, and no float an integer."""

    @abstractmethod
    def corners(self) -> tuple[Any, ...]:
        """The extreme values: what a check has to try so that nothing between them surprises."""

    @abstractmethod
    def size(self) -> int | None:
        """How many different values there are; None for a continuum."""

    def values(self) -> tuple[Any, ...] | None:
        """All values in order; None for a continuum or where there are more than ``MOST_LISTED``."""
        size = self.size()
        return self._listed() if size is not None and size <= MOST_LISTED else None

    @abstractmethod
    def _listed(self) -> tuple[Any, ...]: ...

    def to_mapping(self) -> dict[str, Any]:
        """A new mapping such as ``{"dist": "uniform", "low": 0.0, "high": 1.0}``."""
        return {"dist": self.dist} | {name: getattr(self, name) for name in self.field_names()}

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The keys of the mapping form besides ``dist``, in the order of the text form's arguments."""
        return tuple(field.name for field in fields(cls))  # type: ignore[arg-type]  # a dataclass
