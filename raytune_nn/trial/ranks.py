"""What the workers of one trial tell each other; where there is one, nothing.

All workers run the same training on different rows, and must decide the same at the same point: one that goes on where
another one stops waits for it in vain. So whatever only one of them knows passes through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

FSDP = "fsdp"  # the trainer.strategy that is `raytune_nn.trial.fully_sharded`

Value = TypeVar("Value")


class Ranks:
    """The workers of a trial as one of them sees them: here the only one; several are `raytune_nn.trial.group`.

    Attributes:
        rank: Number of this worker; worker 0 alone writes, reports and hears the answers.
    """

    rank = 0

    def mean(self, metrics: dict[str, float]) -> dict[str, float]:
        """Each metric's mean over the workers that have it: not finite where one of theirs is not."""
        return metrics

    def agree(self, value: Value) -> Value:
        """The value of worker 0, for all of them."""
        return value

    def gather(self, value: Value) -> list[Value]:
        """The values of all workers, in their order."""
        return [value]

    def trainer_keywords(self, trainer: Mapping[str, Any]) -> dict[str, Any]:
        """What the Trainer must know of the workers.

        Args:
            trainer: As it is configured.
        """
        return {}


ALONE = Ranks()
