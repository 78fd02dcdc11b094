"""`${trial:…}`: who a trial is, which is known only where it is trained.

For loggers that name and group their runs: ``${trial:id}``, ``${trial:study}``, and ``${trial:folder}``, the study's
folder on the machine that trains. The driver sees marks in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

TRIAL = "trial"
MARKS = {"id": "<id of the trial>", "study": "<name of the study>", "folder": "<folder of the study>"}


def of_trial(known: Mapping[str, str] = MARKS) -> Callable[[str], str]:
    """The resolver.

    Args:
        known: What stands for each name.

    Raises:
        ValueError: By the resolver, of another name.
    """

    def resolve(name: str) -> str:
        if name not in known:
            raise ValueError(f"trial knows {', '.join(MARKS)}, but not {name!r}")
        return known[name]

    return resolve
