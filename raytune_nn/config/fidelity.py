"""How far a trial has come, as searcher and scheduler count it: in epochs, or by another counter that is reported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raytune_nn.errors import ConfigError

REPORTED = ("epoch", "step")  # each report has them: epochs trained, and optimizer steps


@dataclass(frozen=True)
class Fidelity:
    """The counter that rungs and intervals are given in.

    Args:
        name: ``epoch``, ``step``, or a metric that the module logs: a whole number that never falls.
    """

    name: str = "epoch"

    @property
    def is_epochs(self) -> bool:
        """Whether epochs are counted."""
        return self.name == "epoch"

    def reached(self, report: Mapping[str, Any]) -> int | None:
        """The counter in a report; None where the module did not log it.

        Args:
            report: With ``epoch``, ``step`` and ``metrics``, as a slot sends it and the journal keeps it.

        Raises:
            ValueError: It is no whole number.
        """
        if self.name in REPORTED:
            return int(report[self.name])
        count: float | None = report["metrics"].get(self.name)
        if count is None:
            return None
        # Lightning's mean of equal numbers may be off by a rounding of float32.
        if not math.isfinite(count) or count < 0 or abs(count - round(count)) > 1e-6 * count:
            raise ValueError(
                f"search.fidelity={self.name} must be a whole number, but was {count} in a report; "
                "search.fidelity=step counts optimizer steps"
            )
        return round(count)


EPOCHS = Fidelity()


def read_fidelity(name: str) -> Fidelity:
    """Checks ``search.fidelity`` and returns it.

    Raises:
        ConfigError: It is no name.
    """
    if not name:
        rule = "search.fidelity must be epoch, step or the name of a metric that the module logs"
        raise ConfigError(rule, repr(name), "search.fidelity=epoch")
    return Fidelity(name)
