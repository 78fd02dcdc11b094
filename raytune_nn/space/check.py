"""Whether a search space fits the configuration that it varies."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from raytune_nn.errors import SpaceError
from raytune_nn.space.merge import Branches, Tree, merge_params, value_at
from raytune_nn.space.space import Space

TUNABLE = (
    "model",
    "data",
    "optimizer",
    "lr_scheduler",
    "trainer",
    "seed",
)  # the rest is the study's, not a trial's


def check_space(space: Space, config: Mapping[str, Any], branches: Branches) -> None:
    """Every path exists in the configuration, in each branch that has it, and its extreme values fit what stands there.

    Raises:
        SpaceError: The space is empty, or a path or a value does not fit.
    """
    if space.is_empty:
        raise SpaceError(
            "a search needs a search_space that is not empty",
            "{}",
            "search_space=mlp, or '+search_space.optimizer.lr={dist: loguniform, low: 1e-4, high: 1e-1}'",
        )
    for path, domain, chosen in space.paths():
        root = path.partition(".")[0]
        if root not in TUNABLE:
            raise SpaceError(f"only {', '.join(TUNABLE)} can be tuned", f"search_space.{path}", f"~search_space.{root}")
        tree = merge_params(config, branches, chosen)
        if path in branches:
            continue  # a group that is chosen as a whole: its branches were composed already
        base = _existing(tree, path, chosen)
        for value in domain.corners():
            _check_type(path, base, value)


def _existing(tree: Tree, path: str, chosen: Mapping[str, str]) -> Any:
    try:
        return value_at(tree, path)
    except KeyError as error:
        missing = str(error.args[0])
        above, _, last = missing.rpartition(".")
        siblings = value_at(tree, above) if above else tree
        names = [str(name) for name in siblings] if isinstance(siblings, Mapping) else []
        close = difflib.get_close_matches(last, names, n=1, cutoff=0.5)
        prefix = f"{above}." if above else ""
        meant = f"rename it to search_space.{prefix}{close[0]}, or drop it: " if close else ""
        branch = "".join(f", in branch {group}={option}" for group, option in chosen.items())
        listed = f" ({above} has {', '.join(names)})" if above and names else ""
        raise SpaceError(
            "every path of search_space must exist in the configuration",
            f"{missing}{branch}{listed}",
            f"{meant}~search_space.{path}",
        ) from None


def _check_type(path: str, base: Any, value: Any) -> None:
    """A sampled value must be of the kind that it replaces; null and interpolations take anything."""
    if base is None or value is None or (isinstance(base, str) and "${" in base):
        return
    if isinstance(base, bool) or isinstance(value, bool):
        fits = isinstance(base, bool) and isinstance(value, bool)
    elif isinstance(base, float):
        fits = isinstance(value, (int, float))
    else:
        fits = isinstance(value, type(base))
    if fits:
        return
    fix = f"~search_space.{path}"
    if isinstance(base, int) and isinstance(value, float):
        fix = f"search_space.{path}.dist=randint, or {path}={float(base)} where fractions are meant"
    raise SpaceError(
        f"search_space.{path} must give values like the {base!r} that the configuration has there",
        f"{value!r} ({type(value).__name__}, not {type(base).__name__})",
        fix,
    )
