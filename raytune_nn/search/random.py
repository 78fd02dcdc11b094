"""Random search: every trial an independent draw from the space."""

from __future__ import annotations

import random
from typing import Any

from raytune_nn.search.searcher import Searcher
from raytune_nn.space.space import Space


class RandomSearcher(Searcher):
    """Draws suggestion n from (seed, n) alone: it has no state to restore and never ends.

    Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization", section 2.

    Args:
        space: What to draw from.
        seed: Another seed gives other suggestions.
    """

    learns = False

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def suggest(self, number: int) -> dict[str, Any]:
        """One draw of the space."""
        # Random hashes a text seed with SHA-512: the same in every process and release, unlike hash(), and
        # neighbouring seeds and numbers share nothing, unlike seed + number.
        return self._space.sample(random.Random(f"{self._seed}/{number}"))
