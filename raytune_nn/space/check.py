"""Whether a search space fits the configuration that it varies."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from raytune_nn.errors import SpaceError
from raytune_nn.space.base import Domain
from raytune_nn.space.domains import Choice, LogRandInt, LogUniform, RandInt
from raytune_nn.space.leaf import text_override, written
from raytune_nn.space.merge import Branches, Tree, merge_params, value_at
from raytune_nn.space.space import Space

TUNABLE = (
    "model",
    "data",
    "init",
    "optimizer",
    "param_groups",
    "lr_scheduler",
    "callbacks",
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
        place = place_of(config.get("search_space"), path, chosen)
        base = _existing(tree, path, chosen, place)
        for value in domain.corners():
            if not _fits(base, value):
                raise SpaceError(
                    f"{place} must give values like the {base!r} that the configuration has there",
                    f"{value!r} ({type(value).__name__}, not {type(base).__name__})",
                    _mended(place, base, domain),
                )


def _existing(tree: Tree, path: str, chosen: Mapping[str, str], place: str) -> Any:
    try:
        return value_at(tree, path)
    except KeyError as error:
        missing = str(error.args[0])
        above, _, last = missing.rpartition(".")
        siblings = value_at(tree, above) if above else tree
        names = [str(name) for name in siblings] if isinstance(siblings, Mapping) else []
        close = difflib.get_close_matches(last, names, n=1, cutoff=0.5)
        meant = f"rename {last} to {close[0]}, or drop it: " if close else ""
        branch = "".join(f", in branch {group}={option}" for group, option in chosen.items())
        listed = f" ({above} has {', '.join(names)})" if above and names else ""
        raise SpaceError(
            "every path of search_space must exist in the configuration",
            f"{missing}{branch}{listed}",
            f"{meant}~{place}",
        ) from None


def place_of(space: Any, path: str, chosen: Mapping[str, str]) -> str:
    """Where a path stands in ``search_space``: below `choose` where its branch has it as its own."""
    place, at = "search_space", ""
    for part in path.split("."):
        option = chosen.get(at)
        branch = _below(_below(space, "choose"), option) if option else None
        if isinstance(branch, Mapping) and part in branch:
            place, space = f"{place}.choose.{option}", branch
        place, space = f"{place}.{part}", _below(space, part)
        at = f"{at}.{part}" if at else part
    return place


def _below(node: Any, key: str) -> Any:
    return node.get(key) if isinstance(node, Mapping) else None


def _fits(base: Any, value: Any) -> bool:
    """Whether a sampled value is of the kind that it replaces; null and interpolations take anything."""
    if base is None or value is None or (isinstance(base, str) and "${" in base):
        return True
    if isinstance(base, bool) or isinstance(value, bool):
        return isinstance(base, bool) and isinstance(value, bool)
    if isinstance(base, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(base))


def _mended(place: str, base: Any, domain: Domain) -> str:
    if isinstance(domain, Choice):
        options = [option for option in domain.options if _fits(base, option)]
        return text_override(place, written(Choice(tuple(options)))) if options else f"~{place}"
    low, high = domain.corners()[0], domain.corners()[-1]
    if not isinstance(base, int) or isinstance(base, bool) or math.ceil(low) > math.floor(high):
        return f"~{place}"
    kind = LogRandInt if isinstance(domain, LogUniform) else RandInt
    return text_override(place, written(kind(math.ceil(low), math.floor(high))))
