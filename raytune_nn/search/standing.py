"""A ranking that is kept while scores come and go: each call costs O(log n) comparisons."""

from __future__ import annotations

from bisect import bisect_left, insort


class Standing:
    """Trials in the order of their scores, the lowest first; of equals the one that came first."""

    def __init__(self) -> None:
        self._ranked: list[tuple[float, int, str]] = []
        self._entries: dict[str, tuple[float, int, str]] = {}
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._ranked)

    def __contains__(self, trial: str) -> bool:
        return trial in self._entries

    def __getitem__(self, place: int) -> str:
        """The trial at a place, from 0."""
        return self._ranked[place][2]

    def enter(self, trial: str, score: float) -> None:
        """One more; a trial enters once."""
        self._arrivals += 1
        self._entries[trial] = entry = (score, self._arrivals, trial)
        insort(self._ranked, entry)

    def leave(self, trial: str) -> None:
        """One less, if the trial is there."""
        if trial in self._entries:
            del self._ranked[bisect_left(self._ranked, self._entries.pop(trial))]

    def score(self, trial: str) -> float:
        """What the trial entered with."""
        return self._entries[trial][0]

    def place(self, trial: str) -> int:
        """How many come before the trial."""
        return bisect_left(self._ranked, self._entries[trial])
