"""The distributions of a search space, one frozen dataclass each.

A domain knows what it draws, what it contains and how it is written as a mapping. All values that it hands
out are plain (``values.py``). Where it stands in the configuration is the business of ``space.py``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from raytune_nn.space.base import Domain
from raytune_nn.space.values import DomainError, identity, integer, plain, real, shown

__all__ = ["DISTRIBUTIONS", "Choice", "Domain", "LogRandInt", "LogUniform", "QUniform", "RandInt", "Uniform"]


@dataclass(frozen=True)
class _Interval(Domain):
    """Numbers from ``low`` to ``high``, both included; the two may be equal."""

    low: float
    high: float
    takes: ClassVar[tuple[type, ...]] = (int, float)
    positive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in self.field_names():
            object.__setattr__(self, name, self._read(name, getattr(self, name), self.example[name]))
        low, high = self.low, self.high
        if low > high:
            mend = self.example if self.positive and high <= 0 else {"low": high, "high": low}
            raise DomainError("low <= high must hold", f"low={low}, high={high}", mend)
        if self.positive and low <= 0:
            mend = {"low": min(self.example["low"], high)} if high > 0 else self.example
            raise DomainError(f"low > 0 must hold for {self.dist}", f"low={low}", mend)

    def contains(self, value: object) -> bool:
        is_number = isinstance(value, self.takes) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high  # type: ignore[operator]

    def corners(self) -> tuple[Any, ...]:
        return (self.low,) if self.low == self.high else (self.low, self.high)

    def size(self) -> int | None:
        return 1 if self.low == self.high else None

    def _listed(self) -> tuple[Any, ...]:
        return (self.low,)

    @staticmethod
    def _read(name: str, value: object, instead: Any) -> float:
        return real(name, value, instead)


class Uniform(_Interval):
    """Real numbers between ``low`` and ``high``, all equally likely."""

    dist = "uniform"
    example: ClassVar[Mapping[str, Any]] = {"low": 0.0, "high": 1.0}

    def sample(self, rng: random.Random) -> float:
        return _between(self.low, self.high, rng.random())


class LogUniform(_Interval):
    """Positive real numbers between ``low`` and ``high``, their logarithms uniform."""

    dist = "loguniform"
    example: ClassVar[Mapping[str, Any]] = {"low": 1e-4, "high": 1e-1}
    positive = True

    def sample(self, rng: random.Random) -> float:
        exponent = _between(math.log(self.low), math.log(self.high), rng.random())
        return _clamp(math.exp(exponent), self.low, self.high)


@dataclass(frozen=True)
class QUniform(_Interval):
    """The real numbers ``low``, ``low + q``, ``low + 2q``, … up to at most ``high``, all equally likely.

    ``low``, ``high`` and ``q`` count as the decimals they are written as, so that three steps of 0.1 are 0.3
    and not 0.30000000000000004. Where ``q`` does not divide the range, ``high`` itself is no value.
    """

    q: float
    dist: ClassVar[str] = "quniform"
    example: ClassVar[Mapping[str, Any]] = {"low": 0.0, "high": 1.0, "q": 0.1}

    def __post_init__(self) -> None:
        super().__post_init__()
        spacing = math.ulp(max(abs(self.low), abs(self.high)))
        if self.q > spacing:
            return
        rule = f"q must be larger than {spacing}, the distance of two floats near the bounds"
        tenth = float(f"{self.high / 10 - self.low / 10:.2g}")
        mend = {"q": max(tenth, 2 * spacing)}
        raise DomainError(rule if self.q > 0 else "q > 0 must hold", f"q={self.q}", mend)

    def sample(self, rng: random.Random) -> float:
        return self._step(rng.randint(0, self.size() - 1))

    def contains(self, value: object) -> bool:
        if not super().contains(value):
            return False
        exact = Fraction(value)  # type: ignore[call-overload]  # a finite number, says the line above
        step = round((exact - _decimal(self.low)) / _decimal(self.q))
        return 0 <= step < self.size() and self._step(step) == value

    def corners(self) -> tuple[float, ...]:
        last = self.size() - 1
        return (self.low,) if last == 0 else (self.low, self._step(last))

    def size(self) -> int:
        return (_decimal(self.high) - _decimal(self.low)) // _decimal(self.q) + 1

    def _listed(self) -> tuple[float, ...]:
        return tuple(self._step(step) for step in range(self.size()))

    def _step(self, step: int) -> float:
        return float(_decimal(self.low) + step * _decimal(self.q))


@dataclass(frozen=True)
class _Integers(_Interval):
    low: int
    high: int
    takes = (int,)

    def size(self) -> int:
        return self.high - self.low + 1

    def _listed(self) -> tuple[int, ...]:
        return tuple(range(self.low, self.high + 1))

    @staticmethod
    def _read(name: str, value: object, instead: Any) -> int:
        return integer(name, value, instead)


class RandInt(_Integers):
    """The integers from ``low`` to ``high``, both included, all equally likely."""

    dist = "randint"
    example: ClassVar[Mapping[str, Any]] = {"low": 1, "high": 8}

    def sample(self, rng: random.Random) -> int:
        return rng.randint(self.low, self.high)


class LogRandInt(_Integers):
    """The integers from ``low`` >= 1 to ``high``, both included; k has the share log((k + .5) / (k - .5))."""

    dist = "lograndint"
    example: ClassVar[Mapping[str, Any]] = {"low": 16, "high": 512}
    positive = True

    def sample(self, rng: random.Random) -> int:
        # Half a step more on each side: rounding would leave the two ends half of what is theirs.
        exponent = _between(math.log(self.low - 0.5), math.log(self.high + 0.5), rng.random())
        return min(max(round(math.exp(exponent)), self.low), self.high)


@dataclass(frozen=True, eq=False)
class Choice(Domain):
    """One of ``options``, all equally likely; 1, 1.0 and True are three different options."""

    options: tuple[Any, ...]
    dist: ClassVar[str] = "choice"
    example: ClassVar[Mapping[str, Any]] = {"options": ["relu", "gelu"]}

    def __post_init__(self) -> None:
        given = self.options
        if not isinstance(given, Sequence) or isinstance(given, str | bytes):
            raise DomainError("options must be a list", shown(given), {"options": [given]})
        if not given:
            raise DomainError("options must hold at least one value", "[]", self.example)
        options = tuple(_option(option) for option in given)
        different = {identity(option): option for option in options}
        if len(different) < len(options):
            mend = {"options": list(different.values())}
            raise DomainError("options must differ from each other", shown(list(options)), mend)
        object.__setattr__(self, "options", options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and self._identities() == other._identities()

    def __hash__(self) -> int:
        return hash(self._identities())

    def sample(self, rng: random.Random) -> Any:
        return deepcopy(rng.choice(self.options))  # whoever changes a drawn list must not change the option

    def contains(self, value: object) -> bool:
        try:
            return identity(plain(value)) in self._identities()
        except (TypeError, ValueError):
            return False

    def corners(self) -> tuple[Any, ...]:
        return deepcopy(self.options)

    def size(self) -> int:
        return len(self.options)

    def to_mapping(self) -> dict[str, Any]:
        return {"dist": self.dist, "options": list(deepcopy(self.options))}

    def _listed(self) -> tuple[Any, ...]:
        return deepcopy(self.options)

    def _identities(self) -> tuple[Hashable, ...]:
        return tuple(identity(option) for option in self.options)


DISTRIBUTIONS: Mapping[str, type[Domain]] = {
    kind.dist: kind for kind in (Uniform, LogUniform, QUniform, RandInt, LogRandInt, Choice)
}
"""Every distribution under its name in the configuration."""


def _between(low: float, high: float, share: float) -> float:
    number = low * (1 - share) + high * share  # low + (high - low) * share overflows where the range does
    return _clamp(number, low, high)


def _decimal(number: float) -> Fraction:
    return Fraction(repr(number))


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)  # rounding may step over a bound


def _option(value: object) -> Any:
    try:
        return plain(value)
    except (TypeError, ValueError):
        rule = "an option must be null, a bool, a number other than NaN, a text, or a list or mapping of those"
        raise DomainError(rule, repr(value), {"options": [str(value)]}) from None
