"""raytune_nn: Hydra composes a study, Ray Tune runs it, Lightning trains each trial.

From Python: ``run`` trains a study as the command line does, ``load_study`` reads one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raytune_nn.api import Best as Best
    from raytune_nn.api import Study as Study
    from raytune_nn.api import load_study as load_study
    from raytune_nn.api import run as run
    from raytune_nn.errors import RaytuneError as RaytuneError

__version__ = "0.1.0"
__all__ = ["Best", "RaytuneError", "Study", "__version__", "load_study", "run"]
_HOMES = {"RaytuneError": "raytune_nn.errors"}  # of the public names; the others' is the API


def __getattr__(name: str) -> Any:
    """Imports what a public name needs when it is used: slots, which import this package too, need none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "raytune_nn.api")), name)


def __dir__() -> list[str]:
    return __all__
