"""What mattered, in words: the two parameters of the greatest importance, and where the best trials lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from raytune_nn.report.importance import Importance, important, unclear
from raytune_nn.report.study import Study
from raytune_nn.report.tables import counted, format_value, rank

NAMED, BEST, LEAST = 2, 4, 3  # parameters; the best quarter of the trials, but so many at least
FEW = 6  # different values, up to which they are counted, also where they are numbers


def mattered(study: Study) -> list[tuple[str, str]]:
    """The most important parameters and what to say of each; why nothing can be said, where that is so."""
    if why := unclear(study):
        return [("", why)]
    found = important(study)
    return [(found[place][0], _sentence(place, found, study)) for place in range(min(NAMED, len(found)))]


def _sentence(place: int, found: Sequence[Importance], study: Study) -> str:
    path, mean, spread = found[place]
    told = f"has an importance of {mean:.2f} ± {spread:.2f}"
    if place == NAMED - 1 and (alike := list(_alike(found))):
        more = f" and {counted(len(alike) - 2, 'other')}" if len(alike) > 2 else ""
        told += f", not to be told apart from {', '.join(alike[:2])}{more}"
    trials = [trial for trial in rank(study.record) if trial.value is not None and path in trial.value_params]
    values = [trial.value_params[path] for trial in trials]
    return f"{told}. {_where(values[: max(LEAST, len(values) // BEST)], values)}"


def _alike(found: Sequence[Importance]) -> Iterator[str]:
    """Parameters that are not named, and may matter as much as the last one that is."""
    _, mean, spread = found[NAMED - 1]
    for path, other, its in found[NAMED:]:
        if mean - spread < other + its:
            yield path


def _where(best: Sequence[Any], values: Sequence[Any]) -> str:
    """What the best trials have there."""
    few = f"the best {len(best)} of {len(values)} trials"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numbers and len(set(values)) > FEW:
        ends = [format_value(end(some)) for some in (best, values) for end in (min, max)]
        return f"In {few} it lies between {ends[0]} and {ends[1]}, in all between {ends[2]} and {ends[3]}."
    option, count = Counter(map(format_value, best)).most_common(1)[0]
    share = Counter(map(format_value, values))[option] / len(values)
    return f"Of {few}, {count} have the value {option}, as {share:.0%} of all do."
